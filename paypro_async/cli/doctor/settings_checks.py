"""What ``paypro doctor`` makes of the settings: one small check for each line. No I/O."""

from urllib.parse import urlsplit

from paypro_async._core.endpoint import is_loopback
from paypro_async.cli.doctor.evidence import Evidence
from paypro_async.cli.doctor.finding import Finding

__all__ = ["address", "environment", "merchant", "secret", "settings", "variables"]


def variables(evidence: Evidence) -> Finding:
    """Names alone: a variable that means nothing is mostly one that was meant to."""
    found, name = evidence.variables, "variables"
    are_set = ", ".join([*found.ours, *found.others]) or "none"
    near = [one for one in found.unknown if one.nearest]
    if near:
        slips = ", ".join(f"{one.name} (is it {one.nearest}?)" for one in near)
        return Finding(
            name=name,
            found=f"Set: {are_set}. These mean nothing, so what they say is not done: {slips}.",
            advice="Write them as they are called, or unset them.",
        )
    if found.unknown:
        unknown = ", ".join(one.name for one in found.unknown)
        return Finding(
            name=name,
            found=f"Set: {are_set}. These mean nothing here: {unknown}.",
            advice="Make sure that they belong to another program.",
            level="warning",
        )
    return Finding(name=name, found=f"Set: {are_set}.")


def settings(evidence: Evidence) -> Finding | None:
    """The settings that have no line of their own."""
    wrong = evidence.settings.wrong.get("settings")
    return None if wrong is None else Finding(name="settings", found="They cannot be used.", advice=wrong)


def secret(evidence: Evidence) -> Finding:
    """Whether there is one, and whether something was copied along."""
    wrong = evidence.settings.wrong.get("secret")
    if wrong is not None:
        return Finding(name="secret", found="It cannot be used, so the platform was not asked.", advice=wrong)
    return Finding(name="secret", found="It is set, and nothing was copied along with it.")


def merchant(evidence: Evidence) -> Finding | None:
    """The merchant number, if something is wrong with it."""
    wrong = evidence.settings.wrong.get("merchant")
    if wrong is None:
        return None
    return Finding(name="merchant", found="It cannot be used, so the platform was not asked.", advice=wrong)


def address(evidence: Evidence) -> Finding | None:
    """The base URL, if something is wrong with it."""
    wrong = evidence.settings.wrong.get("address")
    if wrong is None:
        return None
    return Finding(name="address", found="There is none that can be used, so nothing was asked.", advice=wrong)


def environment(evidence: Evidence) -> Finding | None:
    """Under which name the ledger keeps the payouts of this platform apart."""
    endpoint = evidence.settings.endpoint
    if endpoint is None:
        return None
    name, host = endpoint.environment, urlsplit(endpoint.base_url).hostname or ""
    if not is_loopback(host) or evidence.settings.values.get("environment"):
        return Finding(name="environment", found=f"{name}: payouts of another environment never lie in its ledger.")
    return Finding(
        name="environment",
        found=f"{name}: every address of this machine is called so, a sandbox as well as production behind a tunnel, "
        "and payouts of the one would be taken for payouts of the other.",
        advice="Set PAYPRO_ENVIRONMENT=sandbox (or --environment) for a sandbox, and another name for what stands "
        "behind a tunnel.",
    )
