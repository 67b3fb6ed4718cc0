"""The protocol of a ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import field

from paypro_async._core.bounds import LONGEST, cut
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, Event, State
from paypro_async._core.plain_data import PlainData
from paypro_async._core.values import frozen
from paypro_async.errors import ConfigurationError, LedgerUnavailableError, PaidMeanwhileError

__all__ = [
    "MOST_KEPT",
    "PAGE",
    "Account",
    "BatchRecord",
    "ControlAnswer",
    "KeptCallback",
    "Ledger",
    "LedgerClosedError",
    "OrderNumberTakenError",
    "Payment",
    "Turns",
    "Written",
    "paid_meanwhile",
    "refuse_other_environment",
]


MOST_KEPT = 10_000
"""How many callbacks of one merchant are kept apart; of more, the oldest are dropped."""
PAGE = 500
"""How many payouts one reading of a ledger takes, so that neither memory nor a lock of the database grows with it."""


@frozen(kw_only=True)
class Account:
    """Whose payouts, on which platform. A ledger refuses to mix the environments of one merchant.

    Args:
        merchant_no: As PayPro writes it, with its zeros.
        region: The country's name; empty where the ledger does not know it.
        environment: The platform's name: its host, or what the client was told to call it.
    """

    merchant_no: str
    region: str
    environment: str


@frozen
class Written:
    """What became of a claim or a change.

    Args:
        entry: As it stands now, written by this call or by another.
        done: Whether this call wrote it.
    """

    entry: Entry
    done: bool


@frozen(kw_only=True)
class Turns:
    """Turns in the rate that all processes of one ledger keep together: moments at which one payout each may go out.

    Args:
        first: Seconds from *now* until the first one; the others follow at the spacing that was asked for.
        count: How many.
    """

    first: float
    count: int


def _source(text: str | None) -> str | None:
    return text and cut(text, LONGEST["source"])


@frozen(kw_only=True)
class BatchRecord:
    """One run of many payouts, as the ledger remembers it.

    Args:
        merchant_no: Whose run it is.
        batch_id: Unique for the merchant.
        source: Where its payouts come from, for people: a file's name.
        total: How many payouts it has; None until a run came to its end.
        ended: Whether this record tells of its end; of one that was read, whether it ran to an end or was stopped.
    """

    merchant_no: str
    batch_id: str
    source: str | None = field(default=None, converter=_source)
    total: int | None = None
    ended: bool = False


@frozen(kw_only=True)
class Payment:
    """A payout in the ledger, as a payment of an amount to an account, whatever else it says.

    Args:
        trade_no: Its number.
        fingerprint: Of all that it says.
        state: What is known of it.
        created_at: When it was claimed, on the ledger's clock.
        age: Seconds since then.
        batch_id: The batch that claimed it, if one did.
    """

    trade_no: str
    fingerprint: str
    state: State
    created_at: datetime
    age: float
    batch_id: str | None = None


@frozen
class ControlAnswer:
    """What the platform answered when it was last asked about a number that was never used.

    Args:
        code: The platform's code.
        age: Seconds since then.
    """

    code: str
    age: float


@frozen(kw_only=True)
class KeptCallback(PlainData):
    """A genuine callback that changed nothing, and is kept for people to look at.

    Args:
        trade_no: As it names the payout.
        why: Why it changed nothing: ``unknown`` of a payout that the ledger does not hold, else in what it contradicts.
        status: The platform's code; *amount* and *platform_trade_no*, what it says beside.
        first_at: When it first came, and *last_at* when it came last; on the ledger's clock, UTC.
        count: How often it came.
    """

    trade_no: str
    why: str
    status: str
    amount: str | None
    platform_trade_no: str | None
    first_at: datetime
    last_at: datetime
    count: int


class LedgerClosedError(LedgerUnavailableError):
    """The ledger was closed, here and for good, so that another try would find nothing else."""


class OrderNumberTakenError(ValueError):
    """A change holds the platform's number of an order that the ledger has under another trade number.

    One order belongs to one payout, so the reply that held it was meant for another request.
    """

    def __init__(self, trade_no: str) -> None:
        super().__init__(f"the reply about payout {trade_no} holds the order number of another payout")


class Ledger(Protocol):
    """Remembers payouts by merchant number and trade number.

    Every method returns only when what it says is durable. Every method raises
    :class:`~paypro_async.LedgerUnavailableError` if the ledger cannot be read or written, and then a write has not
    happened or is treated as unknown by the next reader.

    Each answer is waited for within the deadline of the call that wants it. One that comes later is not heard, and the
    call is left behind if it does not end when it is cancelled; so a method runs in a task of its own. Two attributes
    make that cheaper: ``ends_when_cancelled = True`` says that each method ends at once when it is cancelled, and needs
    no task; ``answers_at_once = True`` that none ever waits, not even for a disk, and needs no deadline.
    """

    async def open(self, account: Account) -> None:
        """Make ready for *account*.

        Raises:
            ConfigurationError: If the ledger holds the same merchant's payouts on another environment.
        """
        ...

    async def claim(self, intent: Intent) -> Written:
        """Store *intent* as attempt 1 in ``SENDING``, unless its trade number is there already.

        Raises:
            PaidMeanwhileError: If the ledger holds more payments of the same amount to the same account, in other
                batches, than ``intent.others`` says. No other claim that says how many may come in between.
        """
        ...

    async def move(self, change: Change) -> Written:
        """Carry out *change* if the entry is still as its writer saw it.

        Raises:
            KeyError: If there is no such entry.
            OrderNumberTakenError: If it holds the platform's number of another payout's order.
        """
        ...

    async def get(self, merchant_no: str, trade_no: str) -> Entry | None:
        """The entry, or None."""
        ...

    async def get_many(self, merchant_no: str, trade_nos: Sequence[str]) -> dict[str, Entry]:
        """The entries of those numbers that are there."""
        ...

    async def open_entries(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the entries that are not final, by trade number, beginning behind *after*."""
        ...

    async def same_payments(self, merchant_no: str, keys: Sequence[str]) -> dict[str, list[Payment]]:
        """The payouts that pay the same amount to the same account, by their payment key, oldest first."""
        ...

    async def batches(self, merchant_no: str, batch_ids: Sequence[str]) -> dict[str, BatchRecord]:
        """The batches of those names that are there."""
        ...

    async def recent_refusals(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the payouts that were refused within the last day and not looked at since, by trade number.

        They ended since the platform said, of its own accord and asked once more, that it did not take them.
        """
        ...

    async def control_answer(self, merchant_no: str) -> ControlAnswer | None:
        """What the platform answers this merchant about a number that was never used, as it was last kept; or None."""
        ...

    async def record_control(self, merchant_no: str, code: str) -> None:
        """Keep what the platform answered about a number that was never used."""
        ...

    async def history(self, merchant_no: str, trade_no: str) -> list[Event]:
        """Everything that happened to a payout, oldest first; empty if it is not there."""
        ...

    async def reserve(self, pace: str, *, spacing: float, count: int) -> Turns:
        """Take the next *count* turns, *spacing* seconds apart, of the rate that all processes keep under this name."""
        ...

    async def record_batch(self, batch: BatchRecord) -> None:
        """Note that a batch runs, or that it has ended. A batch that is there keeps what is not told anew."""
        ...

    async def aclose(self) -> None:
        """Finish what is being written and close."""
        ...


def paid_meanwhile(intent: Intent, other: str) -> PaidMeanwhileError:
    """Why *intent* is not claimed: *other*, or one more like it, came after its caller had looked."""
    return PaidMeanwhileError(
        f"The same amount to the same account as {intent.trade_no} is in the ledger as {other}, which was not there "
        "when the file was looked up: another run pays it. Nothing was sent for this one. Look at the other run before "
        "this payout is paid as well.",
        trade_no=intent.trade_no,
        other=other,
    )


def refuse_other_environment(known: str, account: Account) -> None:
    """One merchant number on two platforms would mix test payouts with real ones.

    Raises:
        ConfigurationError: If *known* is not the account's environment.
    """
    if known != account.environment:
        raise ConfigurationError(
            f"This ledger holds payouts of merchant {account.merchant_no} on {known!r}, and the client now talks to "
            f"{account.environment!r}. Nothing was sent. Use another ledger; or, if it is the same platform under a "
            f"new address, give environment={known!r}."
        )
