from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from paypro_async.sandbox.signature import is_signed, sign
from tests.sandbox.merchant import NOW, PAYOUT, Merchant, payout_members, signed

MEMBERS = {"tradeNo": "T1", "timestamp": NOW, "name": "Ashā राव", "amount": "300", "remark": " ", "email": ""}


@pytest.mark.parametrize(
    ("position", "expected"),
    # printf '%s' 'amount=300name=Ashā रावremark= timestamp=1715941383720tradeNo=T1sandbox-secret' | md5sum
    [("suffix", "5a2211307810cb7c27aa552739d6e3d9"), ("prefix", "9f6d478422ddbc061becfc1ed860eb6c")],
)
def test_the_signature_is_that_of_the_md5sum_command(position: Any, expected: str):
    """Sorted, empty members left out, blanks kept, UTF-8, the secret last or first."""
    assert sign(MEMBERS, secret="sandbox-secret", position=position) == expected
    assert is_signed({**MEMBERS, "sign": expected}, secret="sandbox-secret", position=position)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (True, "true"), (False, "false"), (300, "300"), ("\ud800", "?")]
)
def test_other_values_are_signed_as_java_writes_them(value: object, text: str):
    """A platform in Java signs `String.valueOf` of what is not a text."""
    assert sign({"a": value}, secret="s", position="suffix") == sign({"a": text}, secret="s", position="suffix")


@pytest.mark.parametrize("given", [None, "", 7, "ä", "0" * 32, "\ud800"])
def test_what_is_not_the_signature_is_refused(given: object):
    """A wrong, missing or malformed signature is no signature."""
    assert not is_signed({**MEMBERS, "sign": given}, secret="s", position="suffix")


async def test_a_good_signature_is_accepted(merchant: Merchant):
    """A body signed by independent code is booked."""
    assert (await merchant.payout())["code"] == "0000"


async def test_one_changed_character_anywhere_is_a_sign_error(sandbox: Sandbox, merchant: Merchant):
    """No member can be changed after signing, and nothing is booked when one was."""
    good = signed(payout_members(remark="invoice"))
    for name, value in good.items():
        changed = value[:-1] + ("0" if value[-1] != "0" else "1")
        reply = (await merchant.http.post(PAYOUT, json={**good, name: changed})).json()
        assert (reply["code"], reply["msg"], reply["success"], reply["data"]) == ("1002", "sign error", False, None)
    assert not sandbox.books.bookings


async def test_the_upper_case_signature_is_refused(merchant: Merchant):
    """The page asks for lower case."""
    good = signed(payout_members())
    reply = (await merchant.http.post(PAYOUT, json={**good, "sign": good["sign"].upper()})).json()
    assert reply["code"] == "1002"


async def test_another_secret_is_refused(sandbox: Sandbox):
    """A merchant with another secret gets nothing booked."""
    async with Merchant(sandbox, secret="other") as stranger:
        assert (await stranger.payout())["code"] == "1002"
    assert not sandbox.books.bookings


async def test_the_secret_can_stand_in_front():
    """With the secret in front, a body signed with the secret at the end is refused."""
    async with Sandbox(secret_position="prefix") as sandbox, Merchant(sandbox) as merchant:
        assert (await merchant.payout())["code"] == "1002"
        members = payout_members()
        members["sign"] = sign(members, secret="sandbox-secret", position="prefix")
        assert (await merchant.http.post(PAYOUT, json=members)).json()["code"] == "0000"


async def test_the_secret_is_shown_nowhere(sandbox: Sandbox, merchant: Merchant):
    """Neither `repr` nor the sandbox's pages show it."""
    await merchant.payout()
    shown = [repr(sandbox), repr(sandbox.rules), repr(sandbox.books)]
    shown += [(await merchant.http.get(f"/sandbox/{page}")).text for page in ("books", "requests")]
    assert not [text for text in shown if "sandbox-secret" in text]
