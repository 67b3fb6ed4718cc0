"""A file that was edited after a part of it was paid: its rows have new numbers, and the ledger still knows them."""

from paypro_async._core.lifecycle import Cause, Change, State
from paypro_async.bulk.repeats import Before, Conflict, look_back
from paypro_async.ledger import MemoryLedger
from tests.support.payout_files import HEADER, MERCHANT_NO, csv_text, open_file, plan_of, row, rows_of


async def remember(
    ledger: MemoryLedger, data: str, *, only: int | None = None, state: State | None = None
) -> list[str]:
    """Claim the first rows of a file, and bring them to *state*."""
    claimed = []
    with open_file(data) as file:
        for _, intent in list(rows_of(file))[:only]:
            await ledger.claim(intent)
            claimed.append(intent.trade_no)
            if state is not None:
                change = Change(
                    merchant_no=MERCHANT_NO,
                    trade_no=intent.trade_no,
                    state=State.SENDING,
                    attempt=1,
                    to=state,
                    cause=Cause.ATTEMPT,
                )
                await ledger.move(change)
    return claimed


async def look(ledger: MemoryLedger, data: str) -> Before:
    with open_file(data) as file:
        return await look_back(rows_of(file), plan_of(file), ledger, MERCHANT_NO)


async def test_the_same_file_again_repeats_nothing() -> None:
    """Also when it holds the same payout twice and only one of them was begun."""
    ledger, data = MemoryLedger(), csv_text(row(), row(), row("301"))
    await remember(ledger, data, only=1)

    assert await look(ledger, data) == Before(known=1)


async def test_rows_of_an_edited_file_are_found_under_their_old_numbers() -> None:
    """Each with its line and the number that it was paid under; the row that is new is not among them."""
    ledger = MemoryLedger()
    first, second = await remember(ledger, csv_text(row("300"), row("301"), row("302")), only=2)

    found = await look(ledger, csv_text(row("999"), row("301.00"), row("302"), row("300")))

    assert found.known == 0
    assert [(one.line, one.row, one.trade_no) for one in found.repeats] == [(3, 2, second), (5, 4, first)]
    assert {one.state for one in found.repeats} == {State.SENDING}


async def test_what_failed_may_be_paid_again() -> None:
    """No money is out for it, so nothing is paid twice."""
    ledger = MemoryLedger()
    await remember(ledger, csv_text(row()), state=State.FAILED)

    assert (await look(ledger, csv_text(row(), row("1")))).repeats == ()


async def test_what_was_stored_but_not_sent_counts_as_paid() -> None:
    """The old file run again would send it."""
    ledger = MemoryLedger()
    await remember(ledger, csv_text(row()), state=State.NEW)

    assert len((await look(ledger, csv_text(row(), row("1")))).repeats) == 1


async def test_a_row_with_a_number_of_its_own_is_not_looked_up() -> None:
    """A number in the file says which payout it is."""
    ledger = MemoryLedger()
    await remember(ledger, csv_text(row()))

    assert (await look(ledger, csv_text(f"{row()},MINE", header=f"{HEADER},trade_no"))).repeats == ()


async def test_a_row_beside_its_twin_with_a_given_number_is_no_repeat() -> None:
    """Both stand in the file, so both are meant."""
    ledger, data = MemoryLedger(), csv_text(f"{row()},MINE", f"{row()},", header=f"{HEADER},trade_no")
    await remember(ledger, data, only=1)

    assert await look(ledger, data) == Before(known=1)


async def test_long_files_are_looked_up_in_pages() -> None:
    """More rows than one page holds, all found."""
    ledger = MemoryLedger()
    lines = [row(str(amount)) for amount in range(1, 602)]
    await remember(ledger, csv_text(*lines))

    assert (await look(ledger, csv_text(*lines))).known == 601
    assert len((await look(ledger, csv_text(*lines[1:]))).repeats) == 600


async def test_a_number_of_another_payout_is_a_conflict() -> None:
    """Also when the number came from a result file; the row that is as it was is none."""
    ledger, header = MemoryLedger(), f"{HEADER},trade_no"
    await remember(ledger, csv_text(f"{row('300')},A", f"{row('301')},B", header=header))

    found = await look(ledger, csv_text(f"{row('300')},A", f"{row('999')},B", header=header))
    assert found == Before(known=1, conflicts=(Conflict(line=3, row=2),))
