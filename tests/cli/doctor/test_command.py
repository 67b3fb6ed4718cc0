"""``paypro doctor`` against a sandbox."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.servers import OK, Peer, Server, unused_url
from tests.support.terminal import MERCHANT_NO, SECRET, Done, Terminal, payout, write_file

NAMED = {"PAYPRO_ENVIRONMENT": "sandbox"}
CODES = "PAYPRO_NO_SUCH_ORDER_CODES"


async def examined(terminal: Terminal, **env: str | None) -> tuple[Done, dict[str, Mapping[str, Any]]]:
    """What the doctor says to programs, by name."""
    done = await terminal.run("doctor", "--json", env=NAMED | env)
    assert not done.err
    found = json.loads(done.out)
    assert found["ok"] is (done.code == 0) is all(check["ok"] for check in found["checks"])
    return done, {check["name"]: check for check in found["checks"]}


@pytest.mark.parametrize("unknown_order", ["null", "empty"])
async def test_all_is_well(terminal: Terminal, sandbox: Sandbox, unknown_order: str) -> None:
    """Exit code 0, a line for each check, and neither a ledger nor a payout is made."""
    sandbox.change(unknown_order=unknown_order)
    done = await terminal.run("doctor", env=NAMED)
    assert (done.code, done.err) == (0, "")
    assert [line[:2] for line in done.out.splitlines()] == ["ok"] * 13 + ["", "Al"]
    assert "the secret's position, suffix, is the right one" in done.out
    assert "ok  unknown order  The platform answers without data" in done.out
    assert "1,00,00,00,000.00 INR" in done.out
    assert f"{terminal.folder / 'payouts.db'} is new" in done.out
    assert not list(terminal.folder.iterdir())
    assert not sandbox.books.bookings
    assert {one.path.rpartition("/")[2] for one in sandbox.books.requests} == {"queryPayOutResult", "queryBalance"}


async def test_a_number_is_asked_about_that_was_never_used(terminal: Terminal, sandbox: Sandbox) -> None:
    """Another one each time."""
    for _ in range(2):
        await examined(terminal)
    asked = [one.trade_no for one in sandbox.books.requests if one.trade_no]
    assert len(set(asked)) == len(asked) == 2


@pytest.mark.parametrize("unknown_order", ["code", "7001:no record"])
async def test_a_code_of_its_own_is_to_be_listed(terminal: Terminal, sandbox: Sandbox, unknown_order: str) -> None:
    """The setting is named as it has to be typed, with what is listed already; then all is well."""
    sandbox.change(unknown_order=unknown_order)
    code = "0100025" if unknown_order == "code" else "7001"
    done, checks = await examined(terminal, **{CODES: "4444"})
    assert done.code == 1
    assert [name for name, check in checks.items() if not check["ok"]] == ["unknown_order"]
    setting = f"{CODES}={','.join(sorted(('4444', code)))} "
    assert setting in checks["unknown_order"]["advice"]
    value = setting.strip().partition("=")[2]
    done, checks = await examined(terminal, **{CODES: value})
    assert (done.code, checks["unknown_order"]["ok"]) == (0, True)
    assert code in checks["unknown_order"]["found"]


@pytest.mark.parametrize("listed", [None, "1001"])
async def test_a_code_that_refuses_wrong_questions_too_is_not_to_be_listed(
    terminal: Terminal, sandbox: Sandbox, listed: str | None
) -> None:
    """Listed or not: it would be taken for "no such order" when it says something else."""
    sandbox.change(unknown_order="refusal")
    done, checks = await examined(terminal, **{CODES: listed})
    assert done.code == 1
    assert "wrong question under the same code" in checks["unknown_order"]["found"]
    advice = checks["unknown_order"]["advice"]
    assert advice.startswith(f"Take it out of {CODES}" if listed else "Do not list it")


async def test_a_code_that_this_ledger_knows_from_refusals_is_not_to_be_listed(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """The ledger remembers what payouts were refused with."""
    write_file(terminal.folder / "p.csv", [payout(1, remark="sandbox:fail:7001")])
    assert (await terminal.run("batch", "p.csv", "--yes", env=NAMED)).code == 4
    sandbox.change(unknown_order="7001")
    _, checks = await examined(terminal)
    assert "payouts in this ledger were refused under the same code" in checks["unknown_order"]["found"]


@pytest.mark.parametrize(("code", "said"), [("0100024", "payouts are refused"), ("5000", "a fault of its own")])
async def test_a_code_that_means_something_else_is_not_to_be_listed(
    terminal: Terminal, sandbox: Sandbox, code: str, said: str
) -> None:
    """A duplicate, or that something went wrong."""
    sandbox.change(unknown_order=code)
    done, checks = await examined(terminal)
    assert done.code == 1
    assert said in checks["unknown_order"]["found"]
    assert CODES not in checks["unknown_order"]["advice"]


@pytest.mark.parametrize("why", ["secret", "merchant", "all"])
async def test_a_caller_that_is_refused_is_told_so(terminal: Terminal, sandbox: Sandbox, why: str) -> None:
    """The code of the refusal is none of an order that does not exist, and is not taken for one."""
    env = {"secret": {"PAYPRO_SECRET": "another"}, "merchant": {"PAYPRO_MERCHANT_NO": "0000000002"}}.get(why, {})
    if why == "all":
        sandbox.change(refuse_all="1010:IP is not in the whitelist")
    done, checks = await examined(terminal, **env)
    assert done.code == 1
    assert "refuses every question" in checks["access"]["found"]
    assert "with the secret at the other end code" in checks["access"]["found"]
    assert "PAYPRO_SECRET_POSITION" in checks["access"]["advice"]
    assert checks["unknown_order"]["advice"] == "Mend the access first."
    assert not checks["balance"]["ok"]
    assert CODES not in done.out


async def test_a_platform_that_does_not_answer(terminal: Terminal) -> None:
    """Nothing listens there: the cause is said, and what to check."""
    done, checks = await examined(terminal, PAYPRO_BASE_URL=unused_url(path=""))
    assert done.code == 1
    assert "nothing listens there" in checks["access"]["found"]
    assert "PAYPRO_BASE_URL" in checks["access"]["advice"]
    assert {"clock", "hops", "balance"} < {name for name, check in checks.items() if not check["ok"]}


@pytest.mark.parametrize("kind", ["gateway", "constant"])
async def test_something_else_that_answers(terminal: Terminal, kind: str) -> None:
    """JSON of a gateway is no answer, and an order under a number that was never used is none of PayPro's."""
    order = b'{"code":"0000","msg":"success","success":true,"data":{"platFormTradeNo":"1","status":"0000"}}'
    body = {"gateway": b"{}", "constant": order}[kind]

    async def answers(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await peer.write(OK.replace(b"Length: 2", b"Length: %d" % len(body)).replace(b"{}", body))

    async with Server(answers) as server:
        done, checks = await examined(terminal, PAYPRO_BASE_URL=server.base_url)
    assert done.code == 1
    if kind == "gateway":
        assert "No usable answer" in checks["access"]["found"]
    assert not checks["unknown_order"]["ok"]
    assert CODES not in done.out


async def test_an_address_of_this_machine_needs_a_name(terminal: Terminal) -> None:
    """A sandbox and production behind a tunnel share the name that it has by default."""
    done, checks = await examined(terminal, PAYPRO_ENVIRONMENT=None)
    assert done.code == 1
    assert checks["environment"]["found"].startswith("local: ")
    assert "production behind a tunnel" in checks["environment"]["found"]
    assert "PAYPRO_ENVIRONMENT=sandbox" in checks["environment"]["advice"]


async def test_the_ledger_is_shown_with_its_whole_path_and_whose_payouts_it_holds(terminal: Terminal) -> None:
    """Known, of another merchant, of another environment, none, forgetful, or not to be read."""
    terminal.file(2)
    assert (await terminal.run("batch", "payouts.csv", "--yes", env=NAMED)).code == 0
    name = str(terminal.folder / "payouts.db")
    _, known = await examined(terminal)
    assert known["ledger"]["found"] == f"{name} holds payouts of this merchant on sandbox."
    _, other = await examined(terminal, PAYPRO_MERCHANT_NO="0000000002")
    assert other["ledger"]["found"] == f"{name} holds payouts of {MERCHANT_NO} and none of this one yet."
    _, elsewhere = await examined(terminal, PAYPRO_ENVIRONMENT="production")
    assert "on sandbox, and these settings are for production" in elsewhere["ledger"]["found"]
    assert not elsewhere["ledger"]["ok"]
    for ledger in ("memory", None):
        _, none = await examined(terminal, PAYPRO_LEDGER=ledger)
        assert "PAYPRO_LEDGER=" in none["ledger"]["advice"]
    (terminal.folder / "broken.db").write_bytes(b"no ledger" * 1000)
    _, broken = await examined(terminal, PAYPRO_LEDGER="broken.db")
    assert not broken["ledger"]["ok"]
    assert "broken.db" in broken["ledger"]["found"]


async def test_settings_that_cannot_work_are_a_finding_too(terminal: Terminal) -> None:
    """Exit code 1, and the sentence that any other command would say."""
    done, checks = await examined(terminal, PAYPRO_SECRET=None, PAYPRO_BASE_URL=None)
    assert done.code == 1
    assert "PAYPRO_BASE_URL (or --base-url) is not set" in checks["address"]["advice"]
    assert "PAYPRO_SECRET (or PAYPRO_SECRET_FILE) is not set" in checks["secret"]["advice"]
    assert checks["ledger"]["ok"]
    _, checks = await examined(terminal, PAYPRO_BASE_URL="http://paypro.example")
    assert "plain http" in checks["address"]["advice"]


async def test_what_the_platform_says_does_not_steer_the_terminal(terminal: Terminal, sandbox: Sandbox) -> None:
    """Its words are shown, and nothing in them is an order to the terminal."""
    sandbox.change(unknown_order="7001:\x1b[31mred")
    done = await terminal.run("doctor", env=NAMED)
    assert "red" in done.out
    assert "\x1b" not in done.out
    assert "!!  unknown order" in done.out
    assert done.out.endswith("1 to mend.\n")


@pytest.mark.parametrize("right", ["suffix", "prefix"])
async def test_the_right_position_of_the_secret_is_named(terminal: Terminal, right: str) -> None:
    """Both are asked for the balance; the wrong one is told with the setting that mends it, and then all is well."""
    async with Sandbox(secret=SECRET, secret_position=right) as sandbox:
        wrong = "prefix" if right == "suffix" else "suffix"
        done, checks = await examined(terminal, PAYPRO_BASE_URL=sandbox.base_url, PAYPRO_SECRET_POSITION=wrong)
        assert done.code == 1
        assert f"as {wrong} and takes one with it as {right}" in checks["access"]["found"]
        assert checks["access"]["advice"].startswith(f"Set PAYPRO_SECRET_POSITION={right} ")
        done, checks = await examined(terminal, PAYPRO_BASE_URL=sandbox.base_url, PAYPRO_SECRET_POSITION=right)
        assert done.code == 0
        assert f"position, {right}, is the right one" in checks["access"]["found"]
        assert not sandbox.books.bookings


async def test_slips_in_names_and_secrets_are_lines_of_their_own(terminal: Terminal) -> None:
    """Neither hides what is wrong with the other; no value is shown."""
    (terminal.folder / "secret").write_text(f"'{SECRET}'")
    slips = {"PAYPRO_SETLE_AFTER": "7", "PAYPRO_SECRET": None, "PAYPRO_SECRET_FILE": "secret", "PAYPRO_TIMEOUT": "soon"}
    done, checks = await examined(terminal, **slips)
    assert done.code == 1
    assert "PAYPRO_SETLE_AFTER (is it PAYPRO_SETTLE_AFTER?)" in checks["variables"]["found"]
    assert "The secret in PAYPRO_SECRET_FILE stands in quotes" in checks["secret"]["advice"]
    assert "PAYPRO_TIMEOUT is not a number of seconds" in checks["settings"]["advice"]
    done, checks = await examined(terminal, PAYPRO_WEBHOOK_PORT_OF_OURS="1")
    assert (done.code, checks["variables"]["level"]) == (0, "warning")


async def test_nothing_is_set_and_nothing_can_be_read(terminal: Terminal) -> None:
    """Each is a line with what to do; no traceback, and JSON all the same."""
    none = {name: None for name in terminal.environment if name.startswith("PAYPRO_")}
    (terminal.folder / "closed").mkdir(mode=0o000)
    broken = {"PAYPRO_SECRET_FILE": "none", "PAYPRO_LEDGER": "closed/no/p.db", "PAYPRO_LEDGER_MARK": "/none/at/all"}
    done, checks = await examined(terminal, **(none | broken))
    assert done.code == 1
    assert {"secret", "merchant", "address", "disk", "mark", "access"} <= {
        name for name, check in checks.items() if not check["ok"]
    }
    assert "No such file" in checks["secret"]["advice"]


async def test_a_proxy_that_is_dead_is_named_with_its_setting(terminal: Terminal, unused_tcp_port: int) -> None:
    """And what was reached through it is not known."""
    proxy = f"http://user:hunter2@127.0.0.1:{unused_tcp_port}"
    done, checks = await examined(terminal, PAYPRO_BASE_URL="https://payouts.example", PAYPRO_PROXY=proxy)
    assert "it cannot be reached (Connection refused)" in checks["proxy"]["found"]
    assert "PAYPRO_PROXY" in checks["proxy"]["found"]
    assert not checks["tls"]["ok"]
    assert "hunter2" not in done.out


async def test_a_ledger_that_others_may_read_is_told(terminal: Terminal) -> None:
    """As a warning, with the command that closes it."""
    terminal.file(1)
    assert (await terminal.run("batch", "payouts.csv", "--yes", env=NAMED)).code == 0
    (terminal.folder / "payouts.db").chmod(0o644)
    done, checks = await examined(terminal)
    assert (done.code, checks["readers"]["level"]) == (0, "warning")
    assert checks["readers"]["advice"].startswith("Close it to them: chmod 600 ")
    assert checks["database"]["found"].endswith("journal mode wal.")
