"""A user's project finds the fixtures, whichever plugin runs its async tests."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PAYS = """
import pytest
PAYEE = {
    "amount": "300", "name": "Asha Rao", "mobile": "8234567890", "email": "asha@gmail.com",
    "bank_number": "10094038292", "bank_code": "IDFB0043121",
}
"""
ASYNC = """
@MARK
async def test_a_lost_reply(fake_paypro, paypro_client):
    fake_paypro.decide("T1", "reply_lost")
    result = await paypro_client.payout(trade_no="T1", **PAYEE)
    assert result.status == "succeeded"
    fake_paypro.assert_paid_once("T1")


@MARK
async def test_the_next_test_knows_nothing_of_it(fake_paypro, paypro_client):
    assert fake_paypro.orders == {}
    assert await paypro_client.get("T1") is None


@MARK
async def test_code_that_makes_its_own_client(paypro_env):
    from paypro_async import OutcomeUnknownError, PayProClient

    paypro_env.next("unknown")
    async with PayProClient.from_env() as client:
        with pytest.raises(OutcomeUnknownError):  # half a minute, which is not waited for
            await client.payout(trade_no="T1", **PAYEE)
    paypro_env.assert_paid_once("T1")
"""
SERVICE = """
import contextlib

from fastapi import FastAPI
from fastapi.testclient import TestClient

from paypro_async import PayProClient
from paypro_async.integrations.fastapi import OpenClient, callback_router, client_lifespan

app = FastAPI(lifespan=client_lifespan(PayProClient.from_env))
app.include_router(callback_router("/paypro"))


@app.post("/payouts/{trade_no}")
async def pay(trade_no: str, client: OpenClient) -> str:
    return (await client.payout({"trade_no": trade_no, **PAYEE})).status


@app.get("/payouts/{trade_no}")
async def find(trade_no: str, client: OpenClient) -> str:
    return (await client.get(trade_no)).status


def test_a_service(paypro_env):
    with TestClient(app) as http:
        assert http.post("/payouts/T1").json() == "processing"
        paypro_env.decide("T1", "paid")
        forged = http.post("/paypro", content=paypro_env.callback("T1", wrong_signature=True))
        assert forged.status_code != 200
        assert http.get("/payouts/T1").json() == "processing"
        answer = http.post("/paypro", content=paypro_env.callback("T1"))
        assert (answer.status_code, answer.text) == (200, "OK")
        assert http.get("/payouts/T1").json() == "succeeded"
    paypro_env.assert_paid_once("T1")
"""


def run(folder: Path, source: str, *options: str, config: Sequence[str] = ()) -> str:
    """What pytest says of a project of one file, in a process of its own as users run it."""
    (folder / "test_mine.py").write_text(PAYS + source)
    scope = [] if "no:asyncio" in options else ["asyncio_default_fixture_loop_scope = function"]
    (folder / "pytest.ini").write_text("\n".join(["[pytest]", "filterwarnings = error", *scope, *config]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.trial
@pytest.mark.long
@pytest.mark.parametrize(
    ("mark", "config", "options"),
    [
        ("pytest.mark.asyncio", ["asyncio_mode = strict"], []),
        ("(lambda test: test)", ["asyncio_mode = auto"], []),
        ("pytest.mark.anyio", ["asyncio_mode = strict"], []),
        ("pytest.mark.anyio", [], ["-p", "no:asyncio"]),
        ("pytest.mark.asyncio", ["asyncio_mode = strict"], ["-n", "2"]),
    ],
    ids=["strict", "auto", "anyio", "anyio alone", "several processes"],
)
def test_async_tests_of_each_plugin(tmp_path: Path, mark: str, config: list[str], options: list[str]) -> None:
    """The client is open in the loop of the test, and each test has a platform of its own."""
    only = "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    said = run(tmp_path, only + ASYNC.replace("MARK", mark), *options, config=config)
    assert "3 passed" in said, said


def test_a_service_under_fastapis_test_client(tmp_path: Path) -> None:
    """It runs in a thread of its own, is paid through, and is called back, rightly signed and forged."""
    said = run(tmp_path, SERVICE)
    assert "1 passed" in said, said


def test_a_failed_assertion_is_shown_where_the_test_made_it(tmp_path: Path) -> None:
    """And not inside of the SDK."""
    said = run(tmp_path, "def test_it(fake_paypro):\n    fake_paypro.assert_paid_once('T1')\n")
    assert "AssertionError: T1 was never booked." in said
    assert "fake.py" not in said


def test_without_a_plugin_for_async_tests_the_other_fixtures_work(tmp_path: Path) -> None:
    """And the one that needs one is said to be missing."""
    source = """
def test_it(fake_paypro): fake_paypro.assert_not_paid()
def test_that(paypro_client): pass
"""
    said = run(tmp_path, source, "-p", "no:asyncio", "-p", "no:anyio")
    assert "1 passed, 1 error" in said
    assert "pytest-asyncio or anyio" in said


def test_a_developers_own_settings_do_not_reach_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above all not the ledger or the secret of a real account."""
    monkeypatch.setenv("PAYPRO_LEDGER", "sqlite:////real.db")
    monkeypatch.setenv("PAYPRO_SECRET_FILE", "/real/secret")
    monkeypatch.setenv("PAYPRO_PROXY", "http://proxy.example:1")
    source = """
import json, os
def test_it(paypro_env):
    print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("PAYPRO_")}))
    assert 0
"""
    said = run(tmp_path, source)
    [line] = [line for line in said.splitlines() if line.startswith("{")]
    seen = json.loads(line)
    assert seen.pop("PAYPRO_LEDGER") == "memory"
    assert seen.keys() == {
        f"PAYPRO_{name}"
        for name in ("BASE_URL", "ENVIRONMENT", "IP_ADDRESS", "MERCHANT_NO", "NOTIFY_URL", "SECRET")
    }  # fmt: skip


def test_pytest_starts_without_loading_the_sdk(tmp_path: Path) -> None:
    """It loads in the first test that asks for it."""
    source = """
import sys
def test_it():
    assert "pytest_paypro_async" in sys.modules
    assert "paypro_async" not in sys.modules
"""
    said = run(tmp_path, source)
    assert "1 passed" in said, said


def test_the_package_alone_loads_nothing_of_it() -> None:
    """Nor pytest: ``paypro_async.testing`` is for programs, too."""
    seen = "import sys, paypro_async; assert 'paypro_async.testing' not in sys.modules"
    more = "import paypro_async.testing; assert not {'pytest', '_pytest'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", f"{seen}; {more}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
