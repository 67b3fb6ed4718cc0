"""Replies that a middlebox doubles, over real connections: nothing is stored with the answer to another payout."""

import warnings
from contextlib import suppress

import pytest

from paypro_async import PayoutStatus, PayProClient, PayProError, PayProWarning, State
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.bookkeeper import HONEST, Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, bookings, client_of, fields, requests, virtual_sandbox
from tests.support.virtual_time import virtual_time

COUNT = 60
WISHES = [
    None,
    "sandbox:paid",
    None,
    "sandbox:refuse:1001:parameter error",
    None,
    "sandbox:refuse:00029:REJECTED_TRANSACTION",
    "sandbox:fail:00029",
    None,
    "sandbox:fail:0100099:not listed",
    "sandbox:reply:1010:booked all the same",
    None,
]
ENDS = {"0000": State.SUCCEEDED, "0015": State.PROCESSING}


def row(number: int) -> dict[str, str]:
    """A payout of an amount that others have too, to a payee of its own."""
    return fields(f"T{number}", remark=WISHES[number % len(WISHES)], bank_number=f"1009403{number:04}")


async def check(client: PayProClient, sandbox: Sandbox, count: int = COUNT) -> None:
    """Each payout that is stored with an end has that of its own order, under its own number."""
    wrong = []
    for number in range(count):
        entry = await client.ledger.get(MERCHANT_NO, f"T{number}")
        order = sandbox.books.orders.get(f"T{number}")
        ends = State.FAILED if order is None else ENDS.get(order.status, State.FAILED)
        number_is_own = entry.platform_trade_no in (None, order.platform_trade_no if order else None)
        if entry.state is not ends or not number_is_own:
            wrong.append((number, entry.state, order and order.status))
    assert wrong == []
    assert sandbox.books.booked_once(sandbox.books.orders).exact


@pytest.mark.parametrize(
    ("transport", "rate", "echo"),
    [
        *[(transport, rate, "given") for transport in ("httpx", "aiohttp") for rate in (0.02, 0.3, 1.0)],
        ("httpx2", 0.3, "given"),
        ("aiohttp", 0.3, "absent"),
        ("aiohttp", 0.3, "empty"),
    ],
)
@virtual_time
async def test_payouts_one_after_the_other(transport: str, rate: float, echo: str):
    """Whatever share of replies is doubled, each payout has its own answer or is found by asking; none is sent twice,
    also by the count of a platform that would book it twice.
    """
    plan = FaultPlan(rate=rate, query_rate=rate, seed=3, kinds=frozenset({Fault.DOUBLE_REPLY}))
    async with (
        virtual_sandbox(faults=plan, echo=echo, deduplicate=False) as sandbox,
        client_of(sandbox, transport=transport, max_connections=1, timeout=300) as client,
    ):
        for number in range(COUNT):
            with suppress(PayProError):
                await client.payout(**row(number))
        await check(client, sandbox)


def of_t0(**data: str) -> Says:
    """What T0 is answered, with the remark that all rows share."""
    return Says(envelope("0000", data={"remark": "wages", **data}), booked=False)


@pytest.mark.parametrize(
    "answer",
    [
        of_t0(status="60019", platFormTradeNo=""),
        of_t0(status="00029"),
        of_t0(status="00029", platFormTradeNo="P-9"),
        of_t0(status="0100099", platFormTradeNo=""),
        of_t0(status="0100024", platFormTradeNo=""),
        of_t0(status="5000", platFormTradeNo=""),
        of_t0(status="0000", platFormTradeNo=""),
        of_t0(status="0000", platFormTradeNo="P-9"),
        of_t0(status="0001"),
        Says(envelope("00029"), booked=False),
    ],
)
@virtual_time
async def test_a_remark_that_all_rows_share_does_not_tell_their_replies_apart(answer: Says):
    """Each row has the remark "wages". The reply to T0 is doubled; the next ones have their own answer all the same."""
    answers = lambda sent, _: answer if sent["tradeNo"] == "T0" else HONEST  # noqa: E731
    doubled = lambda kind, trade_no: (kind, trade_no) == ("payout", "T0")  # noqa: E731
    async with (
        Bookkeeper(answers, doubled=doubled, status="0015") as platform,
        client_of(platform, max_connections=1, timeout=30) as client,
    ):
        for number in range(4):
            with suppress(PayProError):
                await client.payout(**fields(f"T{number}", remark="wages", bank_number=f"100940380{number}"))
        entries = [await client.ledger.get(MERCHANT_NO, f"T{number}") for number in range(1, 4)]
    assert [entry.state for entry in entries] == [State.PROCESSING] * 3
    assert platform.bookings == ["T1", "T2", "T3"]


@virtual_time
async def test_a_platform_that_never_repeats_remarks_is_said_once_and_asked_each_time(caplog):
    """Each reply could be another payout's, so each payout costs a question; one warning says the way on."""
    async with virtual_sandbox(echo="wrong") as sandbox, client_of(sandbox) as client:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results = [await client.payout(**fields(f"T{number}")) for number in range(20)]
        paths = [path for path, _ in requests(sandbox)]
    assert {result.status for result in results} == {PayoutStatus.PROCESSING}
    assert paths == ["payout", "queryPayOutResult"] * 20
    assert [warning.category for warning in caught] == [PayProWarning]
    assert "check_echo=False" in str(caught[0].message)
    assert sum("check_echo=False" in record.message for record in caplog.records) == 1
    assert len(bookings(sandbox)) == 20


@virtual_time
async def test_a_warning_that_is_an_error_pays_nothing_twice():
    """It ends one call, whose payout is unknown and is found by the next call."""
    async with virtual_sandbox(echo="wrong", deduplicate=False) as sandbox, client_of(sandbox) as client:
        unknown = 0
        for number in range(5):
            try:
                await client.payout(**fields(f"T{number}"))
            except PayProError as error:
                unknown += error.money_may_have_moved
        assert unknown == 1
        results = [await client.payout(**fields(f"T{number}")) for number in range(5)]
    assert {result.status for result in results} == {PayoutStatus.PROCESSING}
    assert sorted(bookings(sandbox)) == [f"T{number}" for number in range(5)]


@pytest.mark.parametrize("echo", ["given", "absent", "empty", "wrong"])
@pytest.mark.parametrize("remark", [None, "wages"])
@virtual_time
async def test_without_the_check_a_remark_costs_nothing(echo: str, remark: str | None):
    """With ``check_echo=False`` no reply is judged by what it repeats: one request for each payout."""
    async with virtual_sandbox(echo=echo) as sandbox, client_of(sandbox, check_echo=False) as client:
        for number in range(5):
            result = await client.payout(**fields(f"T{number}", remark=remark))
            assert result.status is PayoutStatus.PROCESSING
        assert [path for path, _ in requests(sandbox)] == ["payout"] * 5


@pytest.mark.parametrize("echo", ["given", "absent", "empty"])
@pytest.mark.parametrize("remark", [None, "wages", "  two  blanks ", "\u20b9 300 \u2013 \u00e9", "x" * 200])
@virtual_time
async def test_a_right_or_an_absent_remark_costs_nothing(echo: str, remark: str | None):
    """The platform repeats what was sent, or says nothing: one request for each payout."""
    async with virtual_sandbox(echo=echo) as sandbox, client_of(sandbox) as client:
        for number in range(5):
            result = await client.payout(**fields(f"T{number}", remark=remark))
            assert result.status is PayoutStatus.PROCESSING
        assert [path for path, _ in requests(sandbox)] == ["payout"] * 5
