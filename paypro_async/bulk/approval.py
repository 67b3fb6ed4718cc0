"""The approval of a plan by a second person: detached from it, and signed with a secret that only that person has.

An approval is for one plan as it is: the digest of all of it is signed, with the approver's name and the time.
Those who pay know the approvers' secrets from a file of lines ``NAME: SECRET``, which the makers of plans cannot write.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from attrs import asdict, field, frozen

from paypro_async._core.secret import HiddenText, Secret
from paypro_async.bulk.plan_file import PlanFile
from paypro_async.errors import ConfigurationError, PayProError
from paypro_async.ledger import Ledger
from paypro_async.report.whole_file import put_whole

__all__ = [
    "Approval",
    "ApprovalMissingError",
    "Approvers",
    "approvals_kept",
    "approve",
    "approved",
    "approved_by",
    "is_signed",
    "read_approvers",
]

if TYPE_CHECKING:
    from paypro_async.ledger.sql.ledger import SqlLedger

Approvers = Mapping[str, Secret[str] | str]
"""The secret of each who may approve, by name."""

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

    def save(self, path: str | os.PathLike[str], *, replace: bool = False) -> None:
        """Write it to a file of its own.

        Raises:
            FileExistsError: If a file is there, and *replace* is not set.
            OSError: If it cannot be written.
        """
        found = {"paypro_approval": 1} | asdict(self) | {"at": self.at.isoformat(timespec="seconds")}
        with put_whole(Path(path), replace=replace) as part:
            part.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read one. Whether it is valid is told by :func:`approved_by`.

        Raises:
            ConfigurationError: If it is none.
            OSError: If it cannot be read.
        """
        path = Path(path)
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
        ConfigurationError: If that is the person who made the plan, the time has no zone, or the name or the secret is
            none.
    """
    secret = HiddenText(secret)
    name = _name(by)
    if _same(name, plan.made_by):
        raise ConfigurationError(
            f"{name} has made this plan, and a second person approves it. Nothing was stored and nothing was sent."
        )
    if at.tzinfo is None:
        raise ConfigurationError(
            "The time of an approval has a zone, and this one has none. Nothing was stored or sent. Give "
            "datetime.now(UTC)."
        )
    if len(secret) < _SHORTEST:
        raise ConfigurationError(
            f"An approver's secret has at least {_SHORTEST} characters, and this one is shorter. Nothing was stored or "
            "sent. Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    signature = _signature(plan.fingerprint, name, at, secret)
    return Approval(plan=plan.fingerprint, by=name, at=at.replace(microsecond=0), signature=signature)


def approved_by(plan: PlanFile, approvals: Iterable[Approval], approvers: Approvers) -> Approval:
    """The first valid approval of a plan.

    Args:
        plan: What is to be paid.
        approvals: Those that were found.
        approvers: The secret of each who may approve.

    Raises:
        ApprovalMissingError: If there is none; it says why those that were found do not count.
        ConfigurationError: If a secret is too short to be one.
    """
    why: list[str] = []
    for one in approvals:
        secret = _secret_of(one.by, approvers)
        if one.plan != plan.fingerprint:
            why.append(f"that of {one.by} is for another plan, or this one was made anew since")
        elif secret is None:
            why.append(f"{one.by} is not among those who may approve")
        elif _same(one.by, plan.made_by):
            why.append(f"{one.by} has made the plan")
        elif not _is_signed(one, secret):
            why.append(f"that of {one.by} was not signed with the secret of {one.by}")
        else:
            return one
    found = f" What was found does not count: {'; '.join(why)}." if why else ""
    raise ApprovalMissingError(
        f"The plan was not approved by a second person, so nothing was sent.{found} Somebody other than "
        f"{plan.made_by}, who made it, approves it with 'paypro approve PLAN --by NAME'."
    )


async def approved(
    plan: PlanFile, approvals: Iterable[Approval], approvers: Approvers, ledger: Ledger | None, merchant_no: str
) -> Approval:
    """The first valid approval of a plan, among those that are given and those that the ledger holds; it keeps it.

    Raises:
        ApprovalMissingError: If there is none.
        ConfigurationError: If a secret is too short to be one.
        LedgerUnavailableError: If the ledger cannot be read or written.
    """
    # SQLAlchemy is imported only when it is used.
    from paypro_async.ledger.admin.signed_plans import StoredApproval, store_approval  # noqa: PLC0415
    from paypro_async.ledger.sql.ledger import SqlLedger  # noqa: PLC0415

    kept = await approvals_kept(ledger, merchant_no, plan.batch_id) if isinstance(ledger, SqlLedger) else []
    valid = approved_by(plan, [*approvals, *kept], approvers)
    if isinstance(ledger, SqlLedger):
        stored = StoredApproval(
            plan=valid.plan, batch_id=plan.batch_id, person=valid.by, at=valid.at, signature=valid.signature
        )
        await store_approval(ledger, merchant_no, stored)
    return valid


async def approvals_kept(ledger: "SqlLedger", merchant_no: str, batch_id: str) -> list[Approval]:
    """Those of a batch that the ledger holds.

    Raises:
        LedgerUnavailableError: If the ledger cannot be read.
    """
    from paypro_async.ledger.admin.signed_plans import approvals_of  # noqa: PLC0415

    stored = await approvals_of(ledger, merchant_no, batch_id)
    return [Approval(plan=one.plan, by=one.person, at=one.at, signature=one.signature) for one in stored]


def is_signed(one: Approval, approvers: Approvers) -> bool:
    """Whether somebody of the *approvers* has signed it, whatever plan it is of."""
    secret = _secret_of(one.by, approvers)
    return secret is not None and _is_signed(one, secret)


def read_approvers(path: str | os.PathLike[str]) -> dict[str, Secret[str]]:
    """The secret of each who may approve, from a file of lines ``NAME: SECRET``; what begins with ``#`` is a remark.

    Raises:
        ConfigurationError: If a line is not so, a name stands there twice, or a secret is too short; no line is quoted.
        OSError: If it cannot be read.
    """
    found: dict[str, Secret[str]] = {}
    try:
        lines = HiddenText(Path(path).read_text(encoding="utf-8-sig")).splitlines()
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


def _secret_of(name: str, approvers: Approvers) -> str | None:
    found = next((secret for one, secret in approvers.items() if _same(one, name)), None)
    secret = found.reveal() if isinstance(found, Secret) else found
    if secret is not None and len(secret) < _SHORTEST:
        # Whoever knows that it is empty, or guesses it, could approve.
        raise ConfigurationError(
            f"The secret of {name} is shorter than {_SHORTEST} characters. Nothing was sent; give each approver one of "
            "that many or more."
        )
    return None if secret is None else HiddenText(secret)


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
