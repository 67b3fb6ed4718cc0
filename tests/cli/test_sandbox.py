"""``paypro sandbox``: what it can be asked for, and its callbacks."""

import signal
from itertools import pairwise

import httpx
import pytest
from click.testing import CliRunner

from paypro_async.cli.listen import LISTEN_PATH, LISTEN_PORT
from paypro_async.cli.sandbox import sandbox
from paypro_async.sandbox.remarks import Kind, read_wishes
from tests.sandbox.merchant import PAYOUT, payout_members, signed
from tests.sandbox.receiver import Receiver, answer
from tests.support.terminal import SECRET, Terminal
from tests.support.transports import until

WISHES = [
    "sandbox:later:paid",
    "sandbox:later:fail:00029",
    "sandbox:later:reverse",
    "sandbox:later:never",
    "sandbox:callback:twice",
    "sandbox:callback:late",
    "sandbox:callback:processing",
    "sandbox:callback:disorder",
    "sandbox:callback:wrong-signature",
    "sandbox:callback:amount:299",
    "sandbox:callback:none",
]


def test_its_help_tells_every_wish():
    """Each of them as it is read, with the pages beside them."""
    told = CliRunner().invoke(sandbox, ["--help"]).output
    assert [wish for wish in WISHES if wish not in told or not read_wishes(wish)] == []
    assert [kind for kind in Kind if f"sandbox:{kind}" not in told] == []
    for page in ("/sandbox/books", "/sandbox/callbacks", "/sandbox/clock", "/sandbox/orders/NO/callback"):
        assert page in told


@pytest.mark.parametrize("rule", ["13", "13=", "13=sometimes", "x=paid", "=paid"])
async def test_a_rule_for_amounts_that_says_nothing_is_wrong_usage(terminal: Terminal, rule: str) -> None:
    """With an example of a right one."""
    done = await terminal.run("sandbox", "--amount-rule", rule)
    assert (done.code, "later:fail:00029" in done.err) == (2, True)


async def test_it_sends_callbacks_as_it_is_told(terminal: Terminal) -> None:
    """A fast clock brings the next try soon; the lines that it prints name the port of `paypro listen`."""
    options = ("--port", "0", "--fault-rate", "0", "--speed", "100", "--amount-rule", "13=later:fail:60030")
    child = terminal.begin("sandbox", *options, "--processing-callbacks")
    async with Receiver(answer(500)) as receiver:
        try:
            await until(lambda: "PAYPRO_SETTLE_AFTER" in child.output)
            exported = dict(line[7:].split("=", 1) for line in child.output.splitlines() if line[:7] == "export ")
            members = signed(payout_members("T1", amount="313", notifyUrl=receiver.url), SECRET)
            async with httpx.AsyncClient(base_url=exported["PAYPRO_BASE_URL"]) as http:
                headers = {"merchantNo": exported["PAYPRO_MERCHANT_NO"]}
                assert (await http.post(PAYOUT, json=members, headers=headers)).json()["code"] == "0000"
            await until(lambda: len(receiver.members) == 3, within=5)
        finally:
            child.signal(signal.SIGINT)
            await child.ended()

    assert sorted(receiver.said) == [("T1", "0015"), ("T1", "0015"), ("T1", "60030")]
    assert any(one == other for one, other in pairwise(sorted(receiver.bodies)))
    assert exported["PAYPRO_NOTIFY_URL"] == f"http://127.0.0.1:{LISTEN_PORT}{LISTEN_PATH}"
    assert child.code == 0
