"""What ``paypro doctor`` makes of the ledger: one small check for each line. No I/O."""

from paypro_async.cli.doctor.disk import Disk, is_network, is_passing
from paypro_async.cli.doctor.evidence import Evidence, LedgerFacts
from paypro_async.cli.doctor.finding import Finding, Level

__all__ = ["disk", "ledger", "mark", "pooler", "readers", "server"]

_LITTLE, _HARDLY_ANY = 500_000_000, 20_000_000
_OLDEST_SERVER = 12


def ledger(evidence: Evidence) -> Finding:
    """Which one it is, whether it is there, and whose payouts it holds."""
    found, account = evidence.ledger, evidence.account
    if not found.durable:
        text = "It forgets every payout when the process ends." if found.name else "None is set, so nothing is paid."
        advice = "Set PAYPRO_LEDGER=sqlite:///payouts.db (or --ledger): it keeps payouts from being paid twice."
        return Finding(name="ledger", found=text, advice=advice)
    if not found.exists:
        return _absent(found)
    if found.wrong is not None:
        return Finding(name="ledger", found=found.wrong, advice="Mend that before anything is paid.")
    if found.suspicion is not None:
        return Finding(
            name="ledger",
            found=f"{found.name} looks like a restored backup: {found.suspicion}. Who pays from it asks first.",
            advice="Find out whether a later ledger exists. If not, 'paypro ledger restored' says how to go on.",
        )
    if account is None:
        return Finding(name="ledger", found=f"{found.name} can be read.")
    here = next((one for one in found.accounts if one.merchant_no == account.merchant_no), None)
    if here is None:
        others = ", ".join(one.merchant_no for one in found.accounts) or "no merchant"
        return Finding(name="ledger", found=f"{found.name} holds payouts of {others} and none of this one yet.")
    if here.environment != account.environment:
        return Finding(
            name="ledger",
            found=f"{found.name} holds this merchant's payouts on {here.environment}, and these settings are for "
            f"{account.environment}.",
            advice="Name the other ledger (PAYPRO_LEDGER or --ledger); or, if it is the same platform under a new "
            f"address, set PAYPRO_ENVIRONMENT={here.environment}.",
        )
    return Finding(name="ledger", found=f"{found.name} holds payouts of this merchant on {here.environment}.")


def _absent(found: LedgerFacts) -> Finding:
    if found.disk is not None and found.disk.is_marked:
        return Finding(
            name="ledger",
            found=f"{found.name} is not there, and its mark is: a ledger lay there and was taken away. A new one would "
            "know of no payout that it held.",
            advice="Put it back, or name the one that is paid from. If it is gone for good, a new one asks about each "
            "payout before it sends.",
        )
    return Finding(
        name="ledger",
        found=f"{found.name} is new: it is made with the first payout and knows of none. If this account has paid "
        "before, its ledger lies elsewhere.",
    )


def disk(evidence: Evidence) -> Finding | None:
    """Whether a file can be kept there, and how long it stays."""
    found = evidence.ledger.disk
    if found is None:
        return None
    if found.wrong is not None:
        what, _, mend = found.wrong.rstrip(".").partition(". ")
        return _disk(f"{what}.", f"{mend or 'Make the folder, or mend the permissions'}.")
    if is_network(found.kind):
        return _disk(
            f"{found.folder} lies on {found.kind}, which another machine keeps: SQLite's log does not work there.",
            "Put the ledger on a disk of this machine, or use PostgreSQL for several machines.",
        )
    if found.free is not None and found.free < _HARDLY_ANY:
        return _disk(f"{found.folder} has {_size(found.free)} left.", "Make room.")
    if is_passing(found.kind):
        return _disk(
            f"{found.folder} lies in memory ({found.kind}) and is empty when the machine is started anew.",
            "Put the ledger on a disk.",
        )
    return _disk_that_works(found)


def _disk_that_works(found: Disk) -> Finding:
    kind = found.kind or "a file system of unknown kind"
    free = "" if found.free is None else f" with {_size(found.free)} free"
    told = (
        f"{found.folder} may be written and lies on {kind}{free}. Payouts are written with synchronous=FULL and a "
        "write-ahead log."
    )
    if found.free is not None and found.free < _LITTLE:
        return Finding(name="disk", found=told, advice="Make room soon.", level="warning")
    if found.kind == "overlay":
        return Finding(
            name="disk",
            found=told,
            advice="This is a layer of a container, and gone with it: mount a volume and put the ledger there.",
            level="warning",
        )
    if found.shared:
        return Finding(
            name="disk",
            found=told,
            advice=f"All users may put another file in the ledger's place: chmod o-w {found.folder}.",
            level="warning",
        )
    return Finding(name="disk", found=told)


def readers(evidence: Evidence) -> Finding | None:
    """Who else may read what stands in the ledger's file."""
    found = evidence.ledger.disk
    if found is None or not found.exists:
        return None
    if found.exposed is None:
        return Finding(name="readers", found="Only its owner may read it.")
    text, _, advice = found.exposed.partition(". ")
    level: Level = "problem" if "written by every user" in text else "warning"
    return Finding(name="readers", found=f"{text}.", advice=advice, level=level)


def mark(evidence: Evidence) -> Finding | None:
    """Whether an older copy of the ledger would be noticed."""
    found = evidence.ledger.disk
    if found is None:
        return None
    if found.mark_wrong is not None:
        return Finding(
            name="mark",
            found=f"PAYPRO_LEDGER_MARK names {found.mark_elsewhere}, and {found.mark_wrong}.",
            advice="Mount its disk, make the folder, or mend the permissions.",
        )
    beside = f"lies at {found.mark}" if found.is_marked else f"will lie at {found.mark}"
    if found.mark_elsewhere is not None:
        return Finding(name="mark", found=f"One {beside}, and another is kept at {found.mark_elsewhere}.")
    return Finding(
        name="mark",
        found=f"One {beside}: an older copy of the file is noticed. A disk that is rolled back as a whole is not, "
        "unless PAYPRO_LEDGER_MARK names a folder on another one.",
    )


def server(evidence: Evidence) -> Finding | None:
    """What the server of a ledger is, and whether a commit outlives a power loss."""
    found = evidence.ledger.server
    if found is None:
        return None
    if "server_version" not in found:
        told = f"SQLite {found.get('version')}, journal mode {found.get('journal_mode')}."
        if found.get("held") != "yes":
            return Finding(name="database", found=told)
        return Finding(
            name="database",
            found=f"{told} Another process holds it for writing, so that no payout can be stored.",
            advice="End that process, or let it end its transaction: one that pays holds it for moments only.",
        )
    told = (
        f"PostgreSQL {found['server_version']}, fsync {found['fsync']}, synchronous_commit "
        f"{found['synchronous_commit']} (raised to on for payouts if it is less)."
    )
    if found["standby"] == "on":
        return Finding(
            name="database", found=f"{told} It is a standby.", advice="Name the primary: nothing can be paid."
        )
    if found["fsync"] == "off":
        return Finding(
            name="database",
            found=f"{told} After a power loss it may have forgotten payouts, which would be paid again.",
            advice="Set fsync = on in postgresql.conf and restart the server.",
        )
    if int(found["server_version"].split(".")[0]) < _OLDEST_SERVER:
        return Finding(
            name="database", found=told, advice="Use a newer server; this one gets no fixes.", level="warning"
        )
    return Finding(name="database", found=told)


def pooler(evidence: Evidence) -> Finding | None:
    """What stands between the client and the server of a ledger."""
    found = evidence.ledger.pooling
    if found is None:
        return None
    said = {
        "none": "The server is reached directly.",
        "session": "A pooler in session mode stands before the server, which the ledger works through.",
        "transaction": "A pooler in transaction mode stands before the server. The ledger works through it: it sets "
        "what it needs in each transaction, and prepares no statements.",
    }
    if found in said:
        return Finding(name="pooler", found=said[found])
    return Finding(
        name="pooler",
        found=f"Whether one stands before the server could not be told: {found}.",
        advice="Mend the ledger's server first; a pooler in statement mode cannot be used.",
    )


def _disk(found: str, advice: str) -> Finding:
    return Finding(name="disk", found=found[0].upper() + found[1:] if found[0].isalpha() else found, advice=advice)


def _size(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.0f} TB"
