"""The approval of a plan by a second person: detached from it, and signed with a secret that only that person has.

An approval is for one plan as it is: the digest of all of it is signed, with the approver's name and the time.
Those who pay know the approvers' secrets from a file of lines ``NAME: SECRET``, which the makers of plans cannot write.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from attrs import asdict, field, frozen

from paypro_async._core.secret import HiddenText, Secret
from paypro_async.bulk.plan_file import PlanFile
from paypro_async.errors import ConfigurationError, PayProError
from paypro_async.report.whole_file import put_whole

__all__ = ["Approval", "ApprovalMissingError", "approve", "approved_by", "is_signed", "read_approvers"]

_SHORTEST = 16
_MOST_BYTES = 100_000
_LONGEST_NAME = 100


class ApprovalMissingError(PayProError):
    """A plan has no valid approval by a second person. Nothing was sent; have it approved, and apply it again."""


@frozen(kw_only=True)
class Approval:
    """That somebody approved a plan.

    Args:
        plan: The plan's :attr:`~paypro_async.bulk.PlanFile.fingerprint`.
        by: Who; *at*, when, with a zone.
        signature: HMAC-SHA256 over the three, with the approver's secret, in hexadecimal.
    """

    plan: str
    by: str
    at: datetime
    signature: str = field(repr=False)

    def save(self, path: Path, *, replace: bool = False) -> None:
        """Write it to a file of its own.

        Raises:
            FileExistsError: If a file is there, and *replace* is not set.
            OSError: If it cannot be written.
        """
        found = {"paypro_approval": 1} | asdict(self) | {"at": self.at.isoformat(timespec="seconds")}
        with put_whole(path, replace=replace) as part:
            part.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one. Whether it is valid is told by :func:`approved_by`.

        Raises:
            ConfigurationError: If it is none.
            OSError: If it cannot be read.
        """
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
        try:
            found = json.loads(data.decode("utf-8-sig"))
            texts = {name: str(found[name]) for name in ("plan", "by", "signature")}
            return cls(**texts, at=datetime.fromisoformat(found["at"]))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise ConfigurationError(
                f"{path.name} is no approval of a plan. Nothing was sent. Have the plan approved with 'paypro approve'."
            ) from None


def approve(plan: PlanFile, *, by: str, secret: str, at: datetime) -> Approval:
    """Approve a plan.

    Args:
        plan: What is approved.
        by: Who approves it; not who made it.
        secret: The approver's own, of 16 characters at least.
        at: When, with a zone.

    Raises:
        ConfigurationError: If that is the person who made the plan, or the name or the secret is none.
    """
    secret = HiddenText(secret)
    name = _name(by)
    if _same(name, plan.made_by):
        raise ConfigurationError(
            f"{name} has made this plan, and a second person approves it. Nothing was stored and nothing was sent."
        )
    if len(secret) < _SHORTEST:
        raise ConfigurationError(
            f"An approver's secret has at least {_SHORTEST} characters, and this one is shorter. Nothing was stored or "
            "sent. Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    signature = _signature(plan.fingerprint, name, at, secret)
    return Approval(plan=plan.fingerprint, by=name, at=at.replace(microsecond=0), signature=signature)


def approved_by(plan: PlanFile, approvals: Iterable[Approval], approvers: Mapping[str, Secret[str]]) -> Approval:
    """The first valid approval of a plan.

    Args:
        plan: What is to be paid.
        approvals: Those that were found.
        approvers: The secret of each who may approve.

    Raises:
        ApprovalMissingError: If there is none; it says why those that were found do not count.
    """
    why: list[str] = []
    for one in approvals:
        secret = next((secret for name, secret in approvers.items() if _same(name, one.by)), None)
        if one.plan != plan.fingerprint:
            why.append(f"that of {one.by} is for another plan, or this one was made anew since")
        elif secret is None:
            why.append(f"{one.by} is not among those who may approve")
        elif _same(one.by, plan.made_by):
            why.append(f"{one.by} has made the plan")
        elif not _is_signed(one, secret.reveal()):
            why.append(f"that of {one.by} was not signed with the secret of {one.by}")
        else:
            return one
    found = f" What was found does not count: {'; '.join(why)}." if why else ""
    raise ApprovalMissingError(
        f"The plan was not approved by a second person, so nothing was sent.{found} Somebody other than "
        f"{plan.made_by}, who made it, approves it with 'paypro approve PLAN --by NAME'."
    )


def is_signed(one: Approval, approvers: Mapping[str, Secret[str]]) -> bool:
    """Whether somebody of the *approvers* has signed it, whatever plan it is of."""
    secret = next((secret for name, secret in approvers.items() if _same(name, one.by)), None)
    if secret is None:
        return False
    wanted = _signature(one.plan, one.by, one.at, secret.reveal())
    return hmac.compare_digest(wanted.encode(), one.signature.encode())


def read_approvers(path: Path) -> dict[str, Secret[str]]:
    """The secret of each who may approve, from a file of lines ``NAME: SECRET``; what begins with ``#`` is a remark.

    Raises:
        ConfigurationError: If a line is not so, a name stands there twice, or a secret is too short; no line is quoted.
        OSError: If it cannot be read.
    """
    found: dict[str, Secret[str]] = {}
    try:
        lines = HiddenText(path.read_text(encoding="utf-8-sig")).splitlines()
    except UnicodeDecodeError:
        # The error holds the whole file, and with it the secrets.
        raise ConfigurationError("The approvers' file is not text in UTF-8. Nothing was sent; save it so.") from None
    for number, line in enumerate(lines, 1):
        text = HiddenText(line.strip())
        if not text or text.startswith("#"):
            continue
        name, colon, secret = map(HiddenText, text.partition(":"))
        if not colon or not name.strip() or len(secret.strip()) < _SHORTEST:
            raise ConfigurationError(
                f"Line {number} of the approvers' file is not NAME: SECRET with a secret of {_SHORTEST} characters or "
                "more. Nothing was sent; mend that line."
            )
        if any(_same(one, name) for one in found):
            raise ConfigurationError(
                f"Line {number} of the approvers' file names somebody who has a secret in a line above it. Nothing was "
                "sent; keep one of the two lines."
            )
        found[str(name.strip())] = Secret(str(secret.strip()))
    return found


def _is_signed(one: Approval, secret: str) -> bool:
    # As bytes: a signature that was made up may hold any characters.
    right, found = _signature(one.plan, one.by, one.at, secret), one.signature
    return hmac.compare_digest(right.encode(), found.encode("utf-8", "surrogatepass"))


def _name(by: str) -> str:
    name = by.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(f"A name has 1 to {_LONGEST_NAME} printable characters. Nothing was stored or sent.")
    return name


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _signature(plan: str, by: str, at: datetime, secret: str) -> str:
    text = json.dumps(["paypro-approval", plan, by, at.isoformat(timespec="seconds")])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
