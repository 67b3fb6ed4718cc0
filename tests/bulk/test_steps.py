"""Read, check, plan and pay, as a service does it: with uploads, in threads, and nothing paid from a refused file."""

import asyncio
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

import pytest
from attrs import evolve
from fastapi import FastAPI, HTTPException, Request
from httpx import ASGITransport, AsyncClient

from paypro_async import ConfigurationError, PayProClient
from paypro_async._core.secret import Secret
from paypro_async.bulk import (
    ApprovalMissingError,
    BalanceTooLowError,
    PaymentLimits,
    PayoutFileError,
    PlanFile,
    approve,
    check,
    pay,
    plan,
    read,
)
from paypro_async.sandbox import Sandbox
from tests.support.payout_files import HEADER, csv_text, row, rows

SECRET = "bo-has-characters-of-his-own-only"


def write(path: Path, text: str) -> None:
    path.write_text(text)


def codes(error: PayoutFileError) -> list[str]:
    return [one.code for one in error.problems]


async def test_from_a_file_to_a_report(client: PayProClient, sandbox: Sandbox, path: Path, tmp_path: Path) -> None:
    """Each step says what the next one needs; paying again pays nothing new."""
    with read(path) as found:
        assert [one.values["amount"] for one in found.rows()] == ["100", "101", "102"]
    assert check(client, path).total == Decimal(303)
    planned = await plan(client, path, by="asha")
    assert (planned.rows, planned.amount, planned.balance, planned.made_by) == (3, 303, 100_000, "asha")
    assert not sandbox.books.bookings

    planned.save(tmp_path / "plan.json")
    for _ in range(2):
        report = await pay(client, PlanFile.load(tmp_path / "plan.json"), result=tmp_path / "result.csv")
        assert report.tally.counts.total() == 3
    assert len(sandbox.books.bookings) == 3
    assert len((tmp_path / "result.csv").read_text().splitlines()) == 4


async def test_many_pay_one_plan_at_one_moment(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """Requests of a service that were sent twice."""
    planned = await plan(client, path)
    await asyncio.gather(*(pay(client, planned) for _ in range(5)))
    assert len(sandbox.books.bookings) == 3


async def test_check_works_in_threads(client: PayProClient, path: Path) -> None:
    """Many files at once, with one client."""
    found = await asyncio.gather(*(asyncio.to_thread(check, client, path) for _ in range(8)))
    assert {one.digest for one in found} == {found[0].digest}


async def test_check_raises_nothing_for_a_wrong_file(client: PayProClient) -> None:
    """All that is wrong is in its answer."""
    found = check(client, io.BytesIO(csv_text(row("x"), row("-1")).encode()))
    assert [one.field for one in found.problems] == ["amount", "amount"]
    assert (found.rows, found.total, found.currency) == (0, 0, "INR")


@pytest.mark.parametrize("text", ["", HEADER, csv_text(row("1e5")), csv_text(rows(2)).rstrip("\n"), "PK\3\4"])
async def test_nothing_is_paid_from_a_refused_file(
    client: PayProClient, sandbox: Sandbox, path: Path, text: str
) -> None:
    """Whether it is planned or paid."""
    write(path, text)
    for step in (plan, pay):
        with pytest.raises(PayoutFileError):
            await step(client, path)
    assert not sandbox.books.orders


async def test_a_file_that_was_edited_since_it_was_planned(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """Is refused, and so is a plan of another place."""
    planned = await plan(client, path)
    write(path, csv_text(rows(4)))
    with pytest.raises(PayoutFileError) as caught:
        await pay(client, planned)
    assert codes(caught.value) == ["FILE_NOT_AS_PLANNED"]
    write(path, csv_text(rows(3)))
    for change in ({"ledger": "/other.db"}, {"merchant_no": "2"}, {"environment": "x"}, {"region": "y"}):
        with pytest.raises(PayoutFileError) as caught:
            await pay(client, evolve(planned, **change))
        assert codes(caught.value) == ["ELSEWHERE_THAN_PLANNED"]
    assert not sandbox.books.orders


async def test_limits_hold_in_a_program(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """For a file and for a plan."""
    planned = await plan(client, path)
    for source in (path, planned):
        with pytest.raises(PayoutFileError) as caught:
            await pay(client, source, limits=PaymentLimits(max_amount=101, max_total=302, expect_rows=4))
        assert codes(caught.value) == ["UNEXPECTED_ROWS", "TOTAL_ABOVE_MAX", "AMOUNT_ABOVE_MAX"]
    assert not sandbox.books.orders
    await pay(client, planned, limits=PaymentLimits(expect_total="303.00", expect_rows=3))
    assert len(sandbox.books.bookings) == 3


async def test_a_doubt_is_accepted_by_name(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """Nobody can be asked, so nothing that is seldom meant is paid unless that is said."""
    write(path, csv_text(row("100", "1000000000001"), row("101", "1000000000002", name="TRUE")))
    planned = await plan(client, path)
    assert planned.doubts == {"NAME_UNLIKELY": 1}
    for source in (path, planned):
        with pytest.raises(PayoutFileError) as caught:
            await pay(client, source)
        assert codes(caught.value) == ["NAME_UNLIKELY"]
    assert not sandbox.books.orders
    await pay(client, planned, accept_doubts=True)
    assert len(sandbox.books.bookings) == 2


async def test_approvals_in_a_program(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """Of a plan, by another person who is listed; a file alone has none."""
    planned, approvers = await plan(client, path, by="asha"), {"Bo": Secret(SECRET)}
    with pytest.raises(ConfigurationError, match="An approval is of a plan"):
        await pay(client, path, approvers=approvers)
    with pytest.raises(ApprovalMissingError):
        await pay(client, planned, approvers=approvers)
    other = approve(evolve(planned, rows=4), by="Bo", secret=SECRET, at=datetime.now(UTC))
    with pytest.raises(ApprovalMissingError, match="for another plan"):
        await pay(client, planned, approvers=approvers, approvals=[other])
    assert not sandbox.books.orders
    one = approve(planned, by="Bo", secret=SECRET, at=datetime.now(UTC))
    await pay(client, planned, approvers=approvers, approvals=[other, one])
    assert len(sandbox.books.bookings) == 3


async def test_a_balance_that_is_too_low_has_its_numbers(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """As data, for who asks for more money."""
    write(path, csv_text(row("100000.01")))
    planned = await plan(client, path)
    with pytest.raises(BalanceTooLowError) as caught:
        await pay(client, planned, accept_doubts=True)
    assert (caught.value.needed, caught.value.available) == (Decimal("100000.01"), Decimal(100_000))
    assert not sandbox.books.orders


async def test_a_stream_cannot_be_planned(client: PayProClient, sandbox: Sandbox) -> None:
    """What was planned is read again; it can be paid at once."""
    data = csv_text(rows(2)).encode()
    with pytest.raises(ConfigurationError, match="save it as a file first"):
        await plan(client, io.BytesIO(data))
    await pay(client, io.BytesIO(data))
    assert len(sandbox.books.bookings) == 2


async def test_a_plan_remembers_how_its_file_was_read(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """Columns that were named, and the run: its numbers are others than those of the content alone."""
    write(path, csv_text(rows(2), header=HEADER.replace("bank_number", "Konto")))
    planned = await plan(client, path, run="2", columns={"Konto": "bank_number"})
    await pay(client, planned)
    assert {planned.first_trade_no, planned.last_trade_no} == set(sandbox.books.orders)
    with pytest.raises(PayoutFileError):
        await pay(client, evolve(planned, columns={}))


async def test_a_service_that_takes_uploads(client: PayProClient, sandbox: Sandbox) -> None:
    """A refused file is an answer with its problems; a right one is paid once, however often it is sent."""
    app = FastAPI()

    @app.post("/payments")
    async def payments(request: Request) -> dict[str, int]:
        with SpooledTemporaryFile() as upload:
            async for part in request.stream():
                upload.write(part)
            upload.seek(0)
            return await paid(upload)

    async def paid(upload: IO[bytes]) -> dict[str, int]:
        try:
            report = await pay(client, cast("BinaryIO", upload), limits=PaymentLimits(max_total=500))
        except PayoutFileError as error:
            raise HTTPException(422, [f"{one.line}: {one.code}" for one in error.problems]) from None
        return {"rows": report.tally.counts.total()}

    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as web:
        wrong = await web.post("/payments", content=csv_text(row("x")))
        assert (wrong.status_code, wrong.json()) == (422, {"detail": ["2: AMOUNT_FORMAT"]})
        large = await web.post("/payments", content=csv_text(rows(5)))
        assert large.json() == {"detail": ["1: TOTAL_ABOVE_MAX"]}
        assert not sandbox.books.orders
        sent = [web.post("/payments", content=csv_text(rows(3))) for _ in range(4)]
        answers = await asyncio.gather(*sent)
    assert [one.json() for one in answers] == [{"rows": 3}] * 4
    assert len(sandbox.books.bookings) == 3
