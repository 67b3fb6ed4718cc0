"""A file checked whole, before anything of it is sent: what it will pay, and under which trade numbers."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from attrs import define, field, frozen

from paypro_async._core.checks import Problem
from paypro_async._core.intent import Intent, build_payout, prepare
from paypro_async._core.regions import RegionSpec
from paypro_async._core.trade_no import derived_trade_no
from paypro_async.bulk.problems import FileProblem
from paypro_async.bulk.reading import PayoutFile, Row
from paypro_async.errors import InvalidPayoutError

__all__ = ["Plan", "Prepare", "make_plan", "numbered", "payouts", "preparer"]

Prepare = Callable[[Mapping[str, str], str], Intent]
"""A row's values and its trade number in; an intent out, or :class:`~paypro_async.InvalidPayoutError`."""

_DIGEST_BYTES = 16


@frozen(kw_only=True)
class Plan:
    """What a file will pay.

    Args:
        rows: How many payouts.
        total: Their sum, in major units of *currency*.
        digest: Of the file's content: the same content, the same digest, however it was saved.
        given: Digests of the trade numbers that stand in the file itself.
        problems: Everything that is wrong with it; a plan with problems must not be paid.
        with_decimals: Rows whose amount has decimals, which the platform advises against.
        identical: Lines of rows without a trade number that pay the same to the same as a row before them.
    """

    rows: int
    total: Decimal
    currency: str
    digest: bytes = field(repr=False)
    given: frozenset[bytes] = field(repr=False)
    problems: tuple[FileProblem, ...] = ()
    with_decimals: int = 0
    identical: tuple[int, ...] = ()

    def trade_no(self, row: Row) -> str:
        """The row's own trade number, or the one that follows from the file's content and the row's place."""
        return row.values.get("trade_no") or derived_trade_no(self.digest, row.number)

    @property
    def batch_id(self) -> str:
        """The same for every run of the same content."""
        return f"file-{self.digest.hex()[:32]}"

    def owns(self, trade_no: str) -> bool:
        """Whether a trade number belongs to a row of this file."""
        if _short(trade_no) in self.given:
            return True
        number = trade_no.rpartition("-")[2]
        in_range = number.isascii() and number.isdigit() and 1 <= int(number) <= self.rows
        return in_range and trade_no == derived_trade_no(self.digest, int(number))


def preparer(spec: RegionSpec, *, merchant_no: str, defaults: Mapping[str, str]) -> Prepare:
    """The client's own check of a payout, for the rows of a file."""
    return lambda values, trade_no: prepare(
        spec,
        build_payout(spec, {**values, "trade_no": trade_no}),
        merchant_no=merchant_no,
        trade_no=trade_no,
        defaults=defaults,
    )


def make_plan(file: PayoutFile, prepare_row: Prepare, *, currency: str, run: str | None = None) -> Plan:
    """Check every row.

    Args:
        file: Where the rows are.
        prepare_row: Checks one.
        currency: ISO 4217, of every amount.
        run: Mixed into the digest: the same file under another name of a run has other trade numbers.
    """
    survey = _Survey()
    for row in file.rows():
        survey.add(row, prepare_row)
    if not survey.rows and not survey.problems:
        survey.problems.append(FileProblem(line=1, code="NO_PAYOUTS", message="has a header only: no payouts in it"))
    digest = survey.content.digest()
    return Plan(
        rows=survey.rows,
        total=survey.total,
        currency=currency,
        digest=digest if run is None else hashlib.sha256(_line([digest.hex(), run])).digest(),
        given=frozenset(survey.given),
        problems=tuple(survey.problems),
        with_decimals=survey.with_decimals,
        identical=tuple(survey.identical),
    )


def numbered(file: PayoutFile, plan: Plan) -> Iterator[tuple[Row, str]]:
    """Every row with its trade number."""
    return ((row, plan.trade_no(row)) for row in file.rows())


def payouts(file: PayoutFile, plan: Plan) -> Iterator[dict[str, str]]:
    """Every row as ``PayProClient.batch_payout`` takes it."""
    return ({**row.values, "trade_no": trade_no} for row, trade_no in numbered(file, plan))


@define
class _Survey:
    rows: int = 0
    total: Decimal = Decimal(0)
    with_decimals: int = 0
    identical: list[int] = field(factory=list)
    problems: list[FileProblem] = field(factory=list)
    content: "hashlib._Hash" = field(factory=hashlib.sha256)
    given: dict[bytes, int] = field(factory=dict)
    seen: set[bytes] = field(factory=set)

    def add(self, row: Row, prepare_row: Prepare) -> None:
        self.rows += 1
        # The shape of these lines is a contract with every ledger ever written: another shape would give the rows of
        # a half-paid file new trade numbers. Never change it.
        self.content.update(_line(sorted(row.values.items())))
        if row.problem is not None:
            self.problems.append(row.problem)
            return
        given = row.values.get("trade_no")
        if given is not None:
            self._check_number(row, given)
        try:
            intent = prepare_row(row.values, given or f"row-{row.number}")
        except InvalidPayoutError as error:
            self.problems += [_placed(row, problem) for problem in error.problems]
            return
        self.total += intent.amount
        self.with_decimals += bool(intent.warnings)
        if given is None:
            same = _short(intent.fingerprint)
            if same in self.seen:
                self.identical.append(row.line)
            self.seen.add(same)

    def _check_number(self, row: Row, trade_no: str) -> None:
        first = self.given.setdefault(_short(trade_no), row.number)
        if first != row.number:
            message = f"is that of row {first} too; two payouts cannot share a trade number"
            self.problems.append(_placed(row, Problem("trade_no", "DUPLICATE_TRADE_NO", message)))


def _placed(row: Row, problem: Problem) -> FileProblem:
    return FileProblem(line=row.line, row=row.number, field=problem.field, code=problem.code, message=problem.message)


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _short(text: str) -> bytes:
    """A digest in place of the text, so that a file of any length costs little memory."""
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
