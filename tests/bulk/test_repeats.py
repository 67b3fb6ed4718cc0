"""A file that was edited after a part of it was paid: its rows have new numbers, and the ledger still knows them."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.lifecycle import Cause, Change, State
from paypro_async._core.payment_key import payment_key
from paypro_async.bulk.evidence import AcceptedRows, Alike, Before, Conflict, Evidence
from paypro_async.bulk.repeats import LookBack
from paypro_async.ledger import BatchRecord, MemoryLedger
from paypro_async.runtime import SystemRuntime
from tests.support.payout_files import HEADER, MERCHANT_NO, csv_text, open_file, plan_of, row, rows_of

NUMBERED = f"{HEADER},trade_no"
REMARKED = f"{HEADER},remark"
DAYS = timedelta(days=1)


class Calendar(SystemRuntime):
    """A wall clock that a test turns."""

    def __init__(self) -> None:
        self.today = datetime(2026, 8, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.today


class Books:
    """A ledger, and files that are paid from it."""

    def __init__(self) -> None:
        self.calendar = Calendar()
        self.ledger = MemoryLedger(runtime=self.calendar)

    async def pay(
        self,
        data: str,
        *,
        only: int | None = None,
        state: State | None = None,
        ended: bool = True,
        name: str | None = "first.csv",
        batch: bool = True,
    ) -> list[str]:
        """Claim the first rows of a file, in a run that ended with the whole of it or not; their trade numbers."""
        claimed = []
        with open_file(data) as file:
            plan = plan_of(file)
            for _, intent in list(rows_of(file))[:only]:
                await self.ledger.claim(evolve(intent, batch_id=plan.batch_id if batch else None))
                claimed.append(intent.trade_no)
                if state is not None:
                    await self.ledger.move(change_to(state, intent.trade_no))
            if batch:
                record = BatchRecord(merchant_no=MERCHANT_NO, batch_id=plan.batch_id, source=name)
                await self.ledger.record_batch(evolve(record, total=plan.rows if ended else None, ended=ended))
        return claimed

    async def look(self, data: str, *, name: str = "second.csv", **settings: Any) -> Before:
        with open_file(data) as file:
            plan = plan_of(file)
            look_back = LookBack(plan=plan, name=name, ledger=self.ledger, merchant_no=MERCHANT_NO, **settings)
            return await look_back.run(rows_of(file))

    async def weighed(self, data: str, **settings: Any) -> list[tuple[int, Evidence]]:
        return [(one.row, one.evidence) for one in (await self.look(data, **settings)).repeats]


def change_to(state: State, trade_no: str) -> Change:
    return Change(
        merchant_no=MERCHANT_NO, trade_no=trade_no, state=State.SENDING, attempt=1, to=state, cause=Cause.ATTEMPT
    )


async def test_the_same_file_again_repeats_nothing() -> None:
    """Also when it holds the same payout twice and only one of them was begun."""
    books, data = Books(), csv_text(row(), row(), row("301"))
    await books.pay(data, only=1, ended=False)

    found = await books.look(data)
    assert (found.known, found.repeats, found.problems()) == (1, (), ())
    assert found.unpaid == Decimal(601)


EDITS: dict[str, Callable[[list[list[str]]], list[list[str]]]] = {
    "a remark is added": lambda rows: [[*cells, "more"] for cells in rows],
    "a name's case": lambda rows: [[cells[0], cells[1].upper(), *cells[2:]] for cells in rows],
    "a name's blanks": lambda rows: [[cells[0], "Asha  Rao", *cells[2:]] for cells in rows],
    "an e-mail is mended": lambda rows: [[*cells[:3], "asha.rao@gmail.com", *cells[4:]] for cells in rows],
    "a mobile is mended": lambda rows: [[*cells[:2], "9234567890", *cells[3:]] for cells in rows],
    "an account loses its zeros": lambda rows: [[*cells[:4], cells[4].lstrip("0"), *cells[5:]] for cells in rows],
    "an account gets zeros": lambda rows: [[*cells[:4], f"00{cells[4]}", *cells[5:]] for cells in rows],
    "an amount gets decimals": lambda rows: [[f"{cells[0]}.00", *cells[1:]] for cells in rows],
    "an amount gets zeros": lambda rows: [[f"0{cells[0]}", *cells[1:]] for cells in rows],
    "a row is added": lambda rows: [*rows, row("77", "5").split(",")],
    "the last row is taken out": lambda rows: rows[:-1],
    "another order": lambda rows: rows[::-1],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_rows_of_an_edited_file_are_found_whatever_was_edited(edit: Callable[[Any], Any]) -> None:
    """As far as amount and account are the same; each with the number that it was paid under."""
    books, rows = Books(), [row(str(300 + number), f"00{10**9 + number}").split(",") for number in range(6)]
    paid = await books.pay(csv_text(*map(",".join, rows)), only=3, ended=False)
    edited = edit(rows)
    header = REMARKED if len(edited[0]) > len(rows[0]) else HEADER

    found = await books.look(csv_text(*map(",".join, edited), header=header))

    assert found.known == 0
    assert sorted(one.trade_no for one in found.repeats) == sorted(paid)
    assert {one.evidence for one in found.repeats} == {Evidence.UNFINISHED}
    assert [one.code for one in found.problems()] == ["PAID_BEFORE"] * 3
    assert found.problems(pay_again=True) == found.problems(skip_paid=True) == ()


@pytest.mark.parametrize("state", [State.FAILED])
async def test_what_failed_may_be_paid_again(state: State) -> None:
    """No money is out for it, so nothing is paid twice."""
    books = Books()
    await books.pay(csv_text(row()), state=state)

    found = await books.look(csv_text(row(), row("1")))
    assert (found.repeats, found.others) == ((), {})


async def test_what_was_stored_but_not_sent_counts_as_paid() -> None:
    """The old file run again would send it."""
    books = Books()
    await books.pay(csv_text(row()), state=State.NEW)

    assert len((await books.look(csv_text(row(), row("1")))).repeats) == 1


async def test_a_row_with_a_number_of_its_own_is_looked_up_too() -> None:
    """A trade_no column that is filled in after a part was paid makes no new payment of it."""
    books = Books()
    await books.pay(csv_text(row()), ended=False)

    assert await books.weighed(csv_text(f"{row()},MINE", header=NUMBERED)) == [(1, Evidence.UNFINISHED)]


@pytest.mark.parametrize(
    ("before", "now"),
    [("000123", "123"), ("123", "000123"), ("1E5", "100000"), ("100000", "1E5"), ("inv-1", "INV-1"), ("a007", "A7")],
)
async def test_a_number_that_looks_like_a_known_one_is_named(before: str, now: str) -> None:
    """However long ago that was within the time that is looked at, and in whichever file."""
    books = Books()
    await books.pay(csv_text(f"{row()},{before}", header=NUMBERED))
    books.calendar.today += 30 * DAYS

    (found,) = (await books.look(csv_text(f"{row()},{now}", f"{row('1')},other", header=NUMBERED))).repeats
    assert (found.trade_no, found.evidence) == (before, Evidence.NUMBER)
    assert before in found.problem.message
    assert "differs from that one only by case, zeros or number format" in found.problem.message


@pytest.mark.parametrize(("before", "now"), [("000123", "123"), ("123", "000123"), ("1E5", "100000"), ("a1", "A1")])
async def test_a_number_that_looks_like_that_of_another_payment_is_named_and_paid(before: str, now: str) -> None:
    """Another amount is another payment, which the platform may take for the same one."""
    books = Books()
    await books.pay(csv_text(f"{row('1')},{before}", header=NUMBERED))

    found = await books.look(csv_text(f"{row('2')},{now}", f"{row('3')},other", header=NUMBERED))
    assert found.alike == (Alike(line=2, row=1, trade_no=before),)
    assert (found.repeats, found.problems()) == ((), ())


async def test_a_row_beside_its_twin_with_a_given_number_is_no_repeat() -> None:
    """Both stand in the file, so both are meant."""
    books, data = Books(), csv_text(f"{row()},MINE", f"{row()},", header=NUMBERED)
    await books.pay(data, only=1, ended=False)

    found = await books.look(data)
    assert (found.known, found.repeats) == (1, ())


async def test_each_payment_speaks_against_one_row() -> None:
    """A file that pays the same three times, of which the ledger holds two: two rows were paid before, one was not."""
    books = Books()
    paid = await books.pay(csv_text(row(), row(), row()), only=2, ended=False)

    found = await books.look(csv_text(row(), row(name="Asha R"), row(), row("1")))
    assert sorted(one.trade_no for one in found.repeats) == sorted(paid)
    assert {one.row for one in found.repeats} <= {1, 2, 3}
    assert [one.more for one in found.repeats] == [1, 0]
    with open_file(csv_text(row())) as file:
        key = [payment_key(intent.region, intent.content) for _, intent in rows_of(file)]
    assert found.others == {key[0]: 2}


@pytest.mark.parametrize(
    ("settings", "days", "name", "expected"),
    [
        ({"ended": False}, 400, "second.csv", Evidence.UNFINISHED),
        ({}, 2, "first.csv", Evidence.FILE_NAME),
        ({}, 2, "/elsewhere/FIRST.csv", Evidence.FILE_NAME),
        ({}, 0.9, "second.csv", Evidence.LAST_DAY),
        ({"batch": False}, 0.9, "second.csv", Evidence.LAST_DAY),
        ({}, 2, "second.csv", Evidence.EARLIER),
        ({}, 34, "second.csv", Evidence.EARLIER),
        ({"batch": False}, 2, "second.csv", Evidence.EARLIER),
        ({"name": "<standard input>"}, 2, "<standard input>", Evidence.EARLIER),
        ({"name": None}, 2, "first.csv", Evidence.EARLIER),
        ({}, 36, "second.csv", None),
        ({}, 36, "first.csv", None),
        ({"batch": False}, 36, "second.csv", None),
    ],
)
async def test_evidence_is_weighed(settings: dict[str, Any], days: float, name: str, expected: Evidence | None) -> None:
    """By how the other run ended, its file's name, and how long ago it was; another remark makes other rows."""
    books = Books()
    await books.pay(csv_text(f"{row()},June", f"{row('2')},June", header=REMARKED), **settings)
    books.calendar.today += days * DAYS

    found = await books.weighed(csv_text(f"{row()},July", f"{row('7')},July", header=REMARKED), name=name)
    assert found == ([(1, expected)] if expected else [])


async def test_an_old_run_that_never_ended_speaks_until_the_same_was_paid_again() -> None:
    """Who paid it since then knew of it."""
    books, edited = Books(), csv_text(row(name="Asha R"))
    await books.pay(csv_text(row()), ended=False)
    books.calendar.today += 100 * DAYS
    assert await books.weighed(edited) == [(1, Evidence.UNFINISHED)]
    await books.pay(csv_text(row(name="A Rao")), name="other.csv")
    books.calendar.today += 40 * DAYS
    assert await books.weighed(edited) == []


async def test_a_file_most_of_whose_rows_are_the_same_is_the_same_file() -> None:
    """Under another name, and days later; of either of the two files most rows stand in the other."""
    rows = [row(str(100 + number)) for number in range(10)]
    more = [row(str(500 + number)) for number in range(30)]
    for edited in ([*rows, row("1")], rows[:7], [*rows[:6], *more], [*more, *rows]):
        books = Books()
        await books.pay(csv_text(*rows))
        books.calendar.today += 3 * DAYS
        found = await books.weighed(csv_text(*edited))
        assert {evidence for _, evidence in found} == {Evidence.ROWS}, len(edited)
    books = Books()
    await books.pay(csv_text(*rows))
    books.calendar.today += 3 * DAYS
    assert {evidence for _, evidence in await books.weighed(csv_text(*rows[:4], *more))} == {Evidence.EARLIER}


async def test_wages_of_another_week_are_shown_and_no_more() -> None:
    """Another remark, or numbers of their own, say that they are other payments."""
    for header, weeks in ((REMARKED, ("week 31", "week 32")), (NUMBERED, ("W31", "W32"))):
        books, rows = Books(), [row(str(100 + number)) for number in range(10)]
        first, second = (
            csv_text(*(f"{one},{week}-{at if header is NUMBERED else 0}" for at, one in enumerate(rows)), header=header)
            for week in weeks
        )
        await books.pay(first)
        books.calendar.today += 7 * DAYS
        found = await books.look(second)
        assert [one.evidence for one in found.repeats] == [Evidence.EARLIER] * 10
        assert found.weak == found.repeats
        assert found.problems() == ()


async def test_a_repeat_says_when_under_which_number_from_which_file_and_with_which_remark() -> None:
    """The problem that an exception quotes leaves the remark out, which may hold a name."""
    books = Books()
    (number,) = await books.pay(csv_text(f"{row()},salary Asha", header=REMARKED))
    books.calendar.today += 2 * DAYS

    (found,) = (await books.look(csv_text(row(), row("1")))).repeats

    assert (found.trade_no, found.source, found.remark) == (number, "first.csv", "salary Asha")
    assert found.at == datetime(2026, 8, 1, 12, tzinfo=UTC)
    said = str(found.problem)
    assert all(part in said for part in (number, "first.csv", "2026-08-01 17:30 IST", "another run"))
    assert "salary" not in said + repr(found)


async def test_long_files_are_looked_up_in_pages() -> None:
    """More rows than one page holds, all found."""
    books, lines = Books(), [row(str(amount)) for amount in range(1, 602)]
    await books.pay(csv_text(*lines), state=State.PROCESSING)

    found = await books.look(csv_text(*lines))
    assert (found.known, found.accepted.count, found.unpaid) == (601, 601, Decimal(0))
    assert len((await books.look(csv_text(*lines[1:]))).repeats) == 600


async def test_a_number_of_another_payout_is_a_conflict() -> None:
    """Also when the number came from a result file; the row that is as it was is none."""
    books = Books()
    await books.pay(csv_text(f"{row('300')},A", f"{row('301')},B", header=NUMBERED))

    found = await books.look(csv_text(f"{row('300')},A", f"{row('999')},B", header=NUMBERED))
    assert (found.known, found.conflicts) == (1, (Conflict(line=3, row=2),))
    assert [one.code for one in found.problems(pay_again=True)] == ["TRADE_NO_CONFLICT"]


async def test_what_was_paid_before_is_told_with_its_days_and_files() -> None:
    """Only what the platform has accepted; what is unknown or was never sent is still to come."""
    books = Books()
    data = csv_text(*(f"{row(str(100 + number))},N{number}" for number in range(5)), header=NUMBERED)
    await books.pay(data, only=2, state=State.PROCESSING, name="a.csv")
    books.calendar.today += 2 * DAYS
    other = csv_text(f"{row('102')},N2", header=NUMBERED)
    await books.pay(other, state=State.SUCCEEDED, name="b.csv")
    await books.pay(csv_text(f"{row('103')},N3", header=NUMBERED), state=State.NEW, name="c.csv")

    found = await books.look(data)

    assert (found.known, found.accepted.count, found.accepted.sources) == (4, 3, ("a.csv", "b.csv"))
    assert found.accepted.when == "on 1 Aug 2026 to 3 Aug 2026, as a.csv, b.csv"
    assert found.unpaid == Decimal(103 + 104)
    assert AcceptedRows().when == ""


async def test_numbers_that_look_alike_in_one_file_and_pay_the_same_are_refused() -> None:
    """The same payment twice; --pay-again says that both are meant."""
    found = await Books().look(csv_text(f"{row()},000123", f"{row()},123", f"{row('9')},x", header=NUMBERED))
    assert [(one.row, one.code) for one in found.problems()] == [(2, "TRADE_NO_TWIN")]
    assert found.problems(pay_again=True) == ()
    assert [one.code for one in found.problems(skip_paid=True)] == ["TRADE_NO_TWIN"]


ROWS = st.tuples(
    st.sampled_from(["100", "200"]),
    st.sampled_from(["123", "0123", "456"]),
    st.sampled_from(["", "A1", "a1", "B1", "C1"]),
    st.sampled_from(["", "x", "y"]),
)


def text_of(rows: list[tuple[str, str, str, str]]) -> str:
    lines = [f"{row(amount, account)},{number},{remark}" for amount, account, number, remark in rows]
    return csv_text(*lines, header=f"{HEADER},trade_no,remark")


def numbers_differ(rows: list[tuple[str, str, str, str]]) -> bool:
    given = [number for _, _, number, _ in rows if number]
    return len(given) == len(set(given))


@given(
    before=st.lists(ROWS, min_size=1, max_size=6).filter(numbers_differ),
    now=st.lists(ROWS, min_size=1, max_size=6).filter(numbers_differ),
    paid=st.integers(0, 6),
)
async def test_no_payment_of_a_run_that_never_ended_is_made_again(before: Any, now: Any, paid: int) -> None:
    """Whatever became of the file: if it is not refused it pays none of them, and with skip_paid none too often."""
    books = Books()
    await books.pay(text_of(before), only=paid, ended=False)
    with open_file(text_of(now)) as file:
        rows = [
            (one.number, intent.trade_no, payment_key(intent.region, intent.content)) for one, intent in rows_of(file)
        ]
    found = await books.look(text_of(now))
    if found.conflicts or found.twins:
        return
    own = await books.ledger.get_many(MERCHANT_NO, [number for _, number, _ in rows])
    keys = sorted({key for _, _, key in rows if key})
    there = await books.ledger.same_payments(MERCHANT_NO, keys)
    new = [(number, key) for number, trade_no, key in rows if trade_no not in own]
    foreign = Counter({key: sum(one.trade_no not in own for one in payments) for key, payments in there.items()})
    if not found.problems():
        assert not any(foreign[key] for _, key in new if key)
    left_out = {one.row for one in found.repeats}
    after = Counter(key for number, key in new if number not in left_out)
    stands = Counter(key for _, _, key in rows)
    for key in keys:
        assert after[key] + len(there.get(key, [])) <= max(stands[key], len(there.get(key, [])))
