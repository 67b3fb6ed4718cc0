"""Paying a file from a program: read, planned, looked up, paid, reported, without a terminal."""

import asyncio
import csv
import inspect
import io
import os
import warnings
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paypro_async import (
    ClientStateError,
    ConfigurationError,
    ItemStatus,
    LedgerUnavailableError,
    MemoryLedger,
    PaidMeanwhileError,
    PayProClient,
    StopRules,
)
from paypro_async.bulk import BalanceTooLowError, BatchSettings, Disbursement, PayoutFileError
from paypro_async.sandbox import Sandbox
from tests.support.merchant import QUICK, SIGNER, bookings, scripted_client
from tests.support.payout_files import HEADER, MERCHANT_NO, SHARED, csv_text, row, rows
from tests.support.scripted import LOST, Scripted, page, refusal, reply
from tests.support.virtual_time import virtual_time


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(booking_lag=0.0) as sandbox:
        yield sandbox


def client_of(sandbox: Sandbox | None, **settings: object) -> PayProClient:
    base_url = sandbox.base_url if sandbox else "http://127.0.0.1:9"
    given = {"ledger": "memory"} | QUICK | SHARED | settings
    return PayProClient(base_url=base_url, merchant_no=MERCHANT_NO, signer=SIGNER, **given)


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[PayProClient]:
    async with client_of(sandbox) as client:
        yield client


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


async def test_a_file_is_planned_paid_and_reported(tmp_path, client: PayProClient, sandbox: Sandbox) -> None:
    """In four lines; the result file has a row for each of the input, and the ledger knows the file's name."""
    path = tmp_path / "salaries.csv"
    path.write_text(csv_text(rows(30)))

    with Disbursement(client, path) as disbursement:
        assert (disbursement.plan.rows, disbursement.plan.currency) == (30, "INR")
        report = await disbursement.pay(concurrency=10)
        found = await disbursement.report(tmp_path / "result.csv")

    assert report.ok
    assert found.tally.counts == {ItemStatus.PROCESSING: 30}
    assert found.tally.total == disbursement.plan.total
    results = read(tmp_path / "result.csv")
    assert [one["paypro_status"] for one in results] == ["processing"] * 30
    assert sorted(one["paypro_trade_no"] for one in results) == sorted(bookings(sandbox))
    assert disbursement.name == str(path)


async def test_the_report_of_a_file_tells_of_each_row_when_all_is_closed(tmp_path, sandbox: Sandbox) -> None:
    """In a data frame, on a page, in a notebook; as the report of a batch does it."""
    async with client_of(sandbox) as client:
        with Disbursement(client, io.BytesIO(csv_text(rows(30)).encode()), name="/pay/salaries.csv") as disbursement:
            await disbursement.pay()
            report = await disbursement.report()
    found = [*report.items()]
    assert [one.row for one in found] == [*range(1, 31)]
    assert {one.status for one in found} == {ItemStatus.PROCESSING}
    assert sum(one.amount for one in found) == report.tally.total == sum(report.amounts.values())
    assert (report.total, report.failed, report.unknown) == (30, [], [])
    assert str(report).startswith("30 payouts: 30 processing (")
    assert "processing" in report._repr_html_()
    assert "salaries.csv" in str(report.to_html())
    assert str(report.to_csv()).count("\r\n") == 31


async def test_the_same_file_again_pays_nothing_twice(client: PayProClient, sandbox: Sandbox) -> None:
    """Nor does another copy of it, under another name: numbers follow from the content."""
    data = csv_text(rows(5))
    for name in ("a.csv", "b.csv"):
        with Disbursement(client, io.BytesIO(data.encode()), name=name) as disbursement:
            before = await disbursement.look_back()
            assert before.known == (5 if name == "b.csv" else 0)
            assert (await disbursement.pay()).accepted == 5

    assert len(bookings(sandbox)) == 5


async def test_another_name_of_a_run_pays_a_second_time(client: PayProClient, sandbox: Sandbox) -> None:
    """Said twice: by the run's name, and by `pay_again`."""
    data = csv_text(rows(2)).encode()
    with Disbursement(client, io.BytesIO(data)) as disbursement:
        await disbursement.pay()
    with Disbursement(client, io.BytesIO(data), run="once more") as disbursement:
        with pytest.raises(PayoutFileError) as caught:
            await disbursement.pay()
        assert [one.code for one in caught.value.problems] == ["PAID_BEFORE"] * 2
        assert len(bookings(sandbox)) == 2
        await disbursement.pay(pay_again=True)

    assert len(bookings(sandbox)) == 4


async def test_a_file_that_was_edited_is_refused(client: PayProClient, sandbox: Sandbox) -> None:
    """Its rows have new numbers, and the ledger knows that they were paid; the error says under which number."""
    with Disbursement(client, io.BytesIO(csv_text(row("300"), row("301")).encode())) as first:
        await first.pay()
        paid = {intent.trade_no async for intent in first.outcomes()}
    with Disbursement(client, io.BytesIO(csv_text(row("300"), row("302")).encode())) as edited:
        with pytest.raises(PayoutFileError, match="nothing was sent") as caught:
            await edited.pay()
        before = await edited.look_back()
        with pytest.raises(PayoutFileError):
            await edited.start(before)

    (problem,) = caught.value.problems
    assert (problem.line, problem.row, problem.code) == (2, 1, "PAID_BEFORE")
    assert any(trade_no in problem.message for trade_no in paid)
    assert len(bookings(sandbox)) == 2


async def test_a_number_of_another_payout_is_refused_even_if_rows_are_meant_again(
    client: PayProClient, sandbox: Sandbox
) -> None:
    """A conflict is no wish."""
    header = f"{HEADER},trade_no"
    with Disbursement(client, io.BytesIO(csv_text(f"{row('300')},A", header=header).encode())) as first:
        await first.pay()
    with Disbursement(client, io.BytesIO(csv_text(f"{row('999')},A", header=header).encode())) as other:
        with pytest.raises(PayoutFileError) as caught:
            await other.pay(pay_again=True)
        assert (await other.report()).tally.counts == {ItemStatus.CONFLICT: 1}

    assert [one.code for one in caught.value.problems] == ["TRADE_NO_CONFLICT"]
    assert len(bookings(sandbox)) == 1


async def test_a_batch_that_was_started_tells_each_row(client: PayProClient) -> None:
    """Each item's position is its row, its payout holds the row's fields and its number."""
    with Disbursement(client, io.BytesIO(csv_text(rows(3)).encode())) as disbursement:
        batch = await disbursement.start(await disbursement.look_back())
        items = {item.position: item async for item in batch}

    assert sorted(items) == [0, 1, 2]
    assert items[1].payout["amount"] == "101"
    assert items[1].payout["trade_no"] == items[1].trade_no
    assert batch.report.ok


def test_everything_that_is_wrong_is_in_one_error() -> None:
    """Each with its row and field; a client need not be open to say so, and no copy of the file stays behind."""
    data = csv_text(row("1e3"), row(), row("5", bank_code="nope"))
    with pytest.raises(PayoutFileError) as caught:
        Disbursement(client_of(None), io.BytesIO(data.encode()))

    found = [(one.line, one.field, one.code) for one in caught.value.problems]
    assert found == [(2, "amount", "AMOUNT_FORMAT"), (4, "bank_code", "IFSC_FORMAT")]


@pytest.mark.parametrize("name", ["ip_address", "notify_url"])
def test_a_wrong_value_of_the_client_is_said_once(name: str) -> None:
    """And not once a row."""
    with pytest.raises(ConfigurationError, match=f"^{name} must be an"):
        Disbursement(client_of(None, **{name: "nonsense"}), io.BytesIO(csv_text(rows(2)).encode()))


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path) -> None:
    """With its name."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Disbursement(client_of(None), tmp_path / "nowhere.csv")


async def test_a_client_that_is_not_open_says_so() -> None:
    """Before it is opened, and after it is closed; whatever is asked of the file."""
    client = client_of(None)
    with Disbursement(client, io.BytesIO(csv_text(rows(1)).encode())) as disbursement:
        for said in ("not open", "is closed"):
            for step in (disbursement.look_back, disbursement.pay, disbursement.report):
                with pytest.raises(ClientStateError, match=said):
                    await step()
            if said == "not open":
                async with client:
                    assert (await disbursement.look_back()).known == 0


async def test_without_a_ledger_no_file_is_paid() -> None:
    """A crash would pay rows twice."""
    async with client_of(None, ledger=None) as client:
        with Disbursement(client, io.BytesIO(csv_text(rows(1)).encode())) as disbursement:
            with pytest.raises(ConfigurationError, match="no ledger"):
                await disbursement.pay()
            with pytest.raises(ConfigurationError, match="no ledger"):
                await disbursement.report()


async def test_the_result_never_replaces_the_input(tmp_path, client: PayProClient) -> None:
    """By whatever name it is called."""
    path = tmp_path / "p.csv"
    path.write_text(data := csv_text(rows(1)))
    (tmp_path / "alias.csv").symlink_to(path)
    with Disbursement(client, str(path)) as disbursement:
        for name in ("p.csv", "alias.csv"):
            with pytest.raises(ConfigurationError, match="which is the input"):
                await disbursement.report(tmp_path / name)

    assert path.read_text() == data


async def test_what_is_paid_is_what_was_checked(tmp_path, client: PayProClient, sandbox: Sandbox) -> None:
    """Whatever another program makes of the file meanwhile."""
    path = tmp_path / "p.csv"
    path.write_text(csv_text(row("300")))
    with Disbursement(client, path) as disbursement:
        path.write_text(csv_text(row("999999")))
        await disbursement.pay()

    assert [str(order.amount) for order in sandbox.books.orders.values()] == ["300"]


async def test_rows_give_no_warning_each(client: PayProClient) -> None:
    """The plan counts amounts with decimals; a service's other tasks keep their own warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Disbursement(client, io.BytesIO(csv_text(row("300.50"), row("1.25")).encode())) as disbursement:
            assert disbursement.plan.with_decimals == 2
            assert (await disbursement.pay()).ok


async def test_it_is_read_in_another_thread(client: PayProClient) -> None:
    """As a service does it, whose event loop must not wait for a long file."""
    data = io.BytesIO(csv_text(f"{row()},T1", header=f"{HEADER},trade_no").encode())
    with await asyncio.to_thread(Disbursement, client, data) as disbursement:
        assert (await disbursement.pay()).ok


async def test_a_ledger_that_fails_while_reporting_leaves_no_half_file(tmp_path, sandbox: Sandbox) -> None:
    """What stood there before stays."""

    class Failing(MemoryLedger):
        async def get_many(self, merchant_no: str, trade_nos: object) -> dict:
            raise LedgerUnavailableError("The ledger has gone.")

    path = tmp_path / "result.csv"
    path.write_text("before")
    async with client_of(sandbox, ledger=Failing()) as client:
        disbursement = Disbursement(client, io.BytesIO(csv_text(rows(1)).encode()))
        with disbursement, pytest.raises(LedgerUnavailableError):
            await disbursement.report(path)

    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["result.csv"]


def test_its_settings_are_those_of_a_batch() -> None:
    """All but the name, which follows from the file's content."""
    taken = inspect.signature(PayProClient.batch_payout).parameters
    settings = {name for name, one in taken.items() if one.kind is one.KEYWORD_ONLY}
    assert BatchSettings.__annotations__.keys() == settings - {"batch_id"}


async def test_a_file_that_grows_after_it_was_read_is_refused(tmp_path, client: PayProClient, sandbox: Sandbox) -> None:
    """Those who wrote it had not ended; nothing was sent, and what is read anew is paid whole."""
    path = tmp_path / "p.csv"
    path.write_text(csv_text(row("300")))
    with Disbursement(client, path) as disbursement:
        with path.open("a") as more:
            more.write(row("301") + "\n")
        with pytest.raises(PayoutFileError) as caught:
            await disbursement.pay()
    assert [one.code for one in caught.value.problems] == ["FILE_CHANGED"]
    assert bookings(sandbox) == []
    with Disbursement(client, path) as disbursement:
        assert (await disbursement.pay()).accepted == 2


async def test_a_file_whose_last_line_has_no_end_is_refused_unless_it_is_said_to_be_whole(
    client: PayProClient, sandbox: Sandbox
) -> None:
    """Beside everything else that is wrong with it."""
    data = csv_text(row("0"), row("300")).rstrip().encode()
    with pytest.raises(PayoutFileError) as caught:
        Disbursement(client, io.BytesIO(data))
    assert [one.code for one in caught.value.problems] == ["NO_LINE_END", "AMOUNT_NOT_POSITIVE"]
    with Disbursement(client, io.BytesIO(csv_text(row()).rstrip().encode()), complete=True) as disbursement:
        assert (await disbursement.pay()).accepted == 1
    assert len(bookings(sandbox)) == 1


@pytest.mark.parametrize(
    "said", [page(404), refusal("1001"), LOST, reply(None)], ids=["404", "refused", "lost", "empty"]
)
@virtual_time
async def test_a_balance_that_cannot_be_had_is_no_reason_to_stop(said: Any) -> None:
    """It is known that it is not known."""
    transport = Scripted(balances=said)
    async with scripted_client(transport, **SHARED) as client:
        with Disbursement(client, io.BytesIO(csv_text(rows(3)).encode())) as disbursement:
            funds = await disbursement.funds(await disbursement.look_back())
            assert (funds.available, funds.low, funds.needed) == (None, False, disbursement.plan.total)
            assert str(funds).startswith("The balance could not be had")
            assert (await disbursement.pay()).accepted == 3


@virtual_time
async def test_a_balance_that_is_too_low_sends_nothing() -> None:
    """With both numbers; unless the rules say otherwise."""
    transport = Scripted(balances=reply({"availableAmount": "302.9900"}))
    async with scripted_client(transport, **SHARED) as client:
        with Disbursement(client, io.BytesIO(csv_text(rows(3)).encode())) as disbursement:
            with pytest.raises(BalanceTooLowError, match="Nothing was sent") as caught:
                await disbursement.pay()
            assert (caught.value.needed, caught.value.available) == (Decimal(303), Decimal("302.99"))
            assert (caught.value.currency, caught.value.money_may_have_moved) == ("INR", False)
            assert transport.payouts == []
            assert (await disbursement.pay(stop=StopRules(low_balance=False))).accepted == 3
            # Nothing is left to be paid, so nothing is asked.
            asked = len(transport.log)
            assert (await disbursement.pay()).sent == 0
    assert len(transport.log) == asked


async def test_rows_that_another_run_paid_after_the_look_are_not_sent(client: PayProClient, sandbox: Sandbox) -> None:
    """Each says so, none counts as trouble of the network, and with pay_again they are sent."""
    data, other = csv_text(rows(60)), csv_text(rows(60)).replace("Asha Rao", "A. Rao")
    with (
        Disbursement(client, io.BytesIO(data.encode())) as first,
        Disbursement(client, io.BytesIO(other.encode())) as second,
    ):
        looked = await first.look_back()
        await second.pay()
        batch = await first.start(looked, concurrency=1)
        items = [item async for item in batch]
        assert {type(item.error) for item in items} == {PaidMeanwhileError}
        assert dict(batch.report.counts) == {ItemStatus.NOT_SENT: 60}
        assert batch.report.stopped is None
        assert len(bookings(sandbox)) == 60
        report = await (await first.start(looked, pay_again=True))
    assert report.accepted == 60
    assert len(bookings(sandbox)) == 120


async def test_rows_that_were_paid_before_may_be_left_out(client: PayProClient, sandbox: Sandbox) -> None:
    """They are in no count and no sum, and the report says how many they are."""
    with Disbursement(client, io.BytesIO(csv_text(row("300"), row("301")).encode())) as first:
        await first.pay()
    edited = csv_text(row("300", name="A. Rao"), row("302"), row("301", name="A. Rao"))
    with Disbursement(client, io.BytesIO(edited.encode())) as disbursement:
        report = await disbursement.pay(skip_paid=True)
        found = await disbursement.report()
    assert (report.total, report.sent) == (1, 1)
    assert dict(found.left_out.counts) == {ItemStatus.PROCESSING: 2}
    assert dict(found.tally.counts) == {ItemStatus.PROCESSING: 1}
    assert len(bookings(sandbox)) == 3


@pytest.mark.parametrize("opened", ["by its path", "by a path object", "by its number"])
def test_a_file_that_is_open_has_the_name_it_was_opened_by(tmp_path: Path, opened: str) -> None:
    """A number is no name: two files that were opened by theirs are not of one name."""
    path = tmp_path / "p.csv"
    path.write_text(csv_text(row()))
    number = os.open(path, os.O_RDONLY)
    name: Any = {"by its path": str(path), "by a path object": path, "by its number": number}[opened]
    with open(name, "rb", closefd=False) if name is number else open(name, "rb") as source:  # noqa: PTH123, SIM117
        with Disbursement(client_of(None), source) as disbursement:
            assert disbursement.name == ("<stream>" if name is number else str(path))
    os.close(number)
