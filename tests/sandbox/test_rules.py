"""How the sandbox behaves where the documentation leaves it open, and that this may change while it runs."""

import re
from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from paypro_async.sandbox import replies as known
from tests.sandbox.merchant import Merchant


@pytest.mark.parametrize(
    ("setting", "code", "data"),
    [
        ("null", "0000", None),
        ("empty", "0000", {}),
        ("code", "0100025", None),
        ("refusal", "1001", None),
        ("7001:no record", "7001", None),
    ],
)
async def test_an_unknown_order_has_four_possible_answers_and_any_code(setting: str, code: str, data: object):
    """Not documented, so each is there to be tried."""
    async with Sandbox(unknown_order=setting) as sandbox, Merchant(sandbox) as merchant:
        reply = await merchant.query("nobody")
        assert (reply["code"], reply["data"]) == (code, data)
        assert reply["success"] is (code == "0000")
        assert reply["msg"]


async def test_an_unknown_order_can_be_answered_as_wrong_payouts_are_refused():
    """Then the code alone does not tell the one from the other."""
    async with Sandbox(unknown_order="refusal") as sandbox, Merchant(sandbox) as merchant:
        assert (await merchant.query("nobody"))["code"] == (await merchant.payout(mobile="1"))["code"]
        sandbox.change(unknown_order="7001")
        assert (await merchant.query("nobody"))["code"] == "7001"
        assert (await merchant.payout(remark="sandbox:refuse:7001"))["code"] == "7001"


async def test_every_payout_can_be_refused_while_queries_are_answered(sandbox: Sandbox, merchant: Merchant):
    """As when the merchant's address is not in the platform's list."""
    await merchant.payout("T1")
    sandbox.change(refuse_payouts="1010:IP is not in the whitelist")
    refused = await merchant.payout("T2")
    assert (refused["code"], refused["msg"], refused["success"]) == ("1010", "IP is not in the whitelist", False)
    assert (await merchant.query("T1"))["data"]["status"] == "0015"
    assert (await merchant.query("T2"))["data"] is None
    assert await merchant.balance() == "999999700.0000"
    sandbox.change(refuse_payouts=None)
    assert (await merchant.payout("T2"))["code"] == "0000"


async def test_every_request_can_be_refused(sandbox: Sandbox, merchant: Merchant):
    """As when the account is closed: no payout, no query and no balance."""
    await merchant.payout("T1")
    sandbox.change(refuse_all="1003")
    assert (await merchant.payout("T2"))["code"] == (await merchant.query("T1"))["code"] == "1003"
    assert (await merchant.query("T1"))["msg"] == "refused"
    assert len(sandbox.books.bookings) == 1


@pytest.mark.parametrize(
    ("echo", "remark"), [("given", "invoice 17"), ("absent", None), ("empty", ""), ("wrong", "000000")]
)
async def test_the_remark_comes_back_or_not(echo: Any, remark: str | None):
    """Documented as an echo, and not every platform keeps to it; neither when the money is not enough."""
    async with Sandbox(echo=echo, balance="400") as sandbox, Merchant(sandbox) as merchant:
        for status in ("0015", "60019"):
            data = (await merchant.payout(f"T{status}", remark="invoice 17"))["data"]
            assert data["status"] == status
            assert data.get("remark") == remark


@pytest.mark.parametrize("name", ["order_number_name", "secret_position", "unknown_order", "echo", "refuse_payouts"])
async def test_a_misspelt_setting_is_refused(name: str):
    """A setting with fixed choices takes no other, nor does a code of another shape, also while it runs."""
    with pytest.raises(ValueError, match=name):
        Sandbox(**{name: "sufix"})
    with pytest.raises(ValueError, match=name):
        Sandbox().change(**{name: "sufix"})  # type: ignore[misc]


def test_each_code_of_its_own_has_the_shape_of_the_platform():
    """Codes are texts of 4 to 8 digits; only a remark can ask for another."""
    of_its_own = [one for one in vars(known).values() if isinstance(one, known.Reply)]
    of_its_own += [*known.UNKNOWN_ORDERS.values(), known.wrong_parameter("it"), known.refusal_of("7001")]
    assert len(of_its_own) > 8
    assert [one for one in of_its_own if not re.fullmatch("[0-9]{4,8}", one.code) or not one.msg] == []
