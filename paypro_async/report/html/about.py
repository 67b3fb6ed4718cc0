"""What a report is about, beside its rows."""

from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from platform import python_version

from attrs import field, frozen

__all__ = ["About"]


def _now() -> datetime:
    return datetime.now(UTC)


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  reading the metadata takes long, and only a page shows it

    return version("paypro-async")


@frozen(kw_only=True)
class About:
    """What a report is about. Whatever is None is not told.

    Args:
        title: The name of the file or of the batch, for people.
        batch_id: The batch in the ledger.
        digest: The hash of the input's content, in hex.
        merchant_no: Whose payouts they are.
        environment: The platform's name.
        region: The country.
        currency: ISO 4217; the one of the rows if it is None.
        zone: What times are shown in; UTC by default.
        ledger: Where the payouts are remembered.
        rows: How many payouts were planned, and *total*, their sum in major units: the report says whether its rows add
            up to that.
        begun_at: When the run began, and *ended_at* when it ended.
        elapsed: Seconds that the run took.
        stopped: Why it ended early.
        made_at: When the report was made.
        package_version: Of this package, and *python* of the interpreter.
        notes: Sentences for people, as of rows that were left out.
    """

    title: str
    batch_id: str | None = None
    digest: str | None = None
    merchant_no: str | None = None
    environment: str | None = None
    region: str | None = None
    currency: str | None = None
    zone: tzinfo = UTC
    ledger: str | None = None
    rows: int | None = None
    total: Decimal | None = None
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    elapsed: float | None = None
    stopped: str | None = None
    made_at: datetime = field(factory=_now)
    package_version: str = field(factory=_version)
    python: str = field(factory=python_version)
    notes: tuple[str, ...] = ()
