"""PAYPRO_OPENTELEMETRY: traces and metrics of the command line, exported by an SDK that another program has set up."""

import asyncio
import json
import os
import re
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from paypro_async.cli.options import hooks_asked_for
from paypro_async.errors import ConfigurationError
from tests.support.merchant import MERCHANT_NO
from tests.support.terminal import SECRET, Terminal, account, payout, write_file
from tests.support.valid import PAYEE
from tests.support.web import exchange, request

BIN = Path(sys.executable).parent
PERSONAL = [PAYEE["name"], PAYEE["mobile"], PAYEE["email"], account(0), account(1), account(2), SECRET]


def environment(folder: Path, base_url: str, **more: str) -> dict[str, str]:
    """What prints all that is exported to standard output."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PAYPRO_"))},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "console",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "payouts",
        # Others would tell of the same requests once more.
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "all",
        "PAYPRO_BASE_URL": base_url,
        "PAYPRO_ENVIRONMENT": "sandbox",
        "PAYPRO_MERCHANT_NO": MERCHANT_NO,
        "PAYPRO_SECRET": SECRET,
        "PAYPRO_LEDGER": f"sqlite:///{folder / 'payouts.db'}",
        "PAYPRO_IP_ADDRESS": "203.0.113.7",
        "PAYPRO_NOTIFY_URL": "https://merchant.example/paypro",
        "PAYPRO_OPENTELEMETRY": "yes",
        **more,
    }


async def started(folder: Path, environ: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    """``opentelemetry-instrument paypro …``."""
    command = [str(BIN / "opentelemetry-instrument"), str(BIN / "paypro"), *words]
    return await asyncio.create_subprocess_exec(*command, cwd=folder, env=environ, stdout=PIPE, stderr=PIPE)


async def instrumented(folder: Path, base_url: str, *words: str, **more: str) -> tuple[int, str, str]:
    """Its exit code and what it has printed."""
    process = await started(folder, environment(folder, base_url, **more), *words)
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def exported(out: str) -> tuple[list[dict[str, Any]], set[str]]:
    """The spans, and the names of the metrics, among all that was printed."""
    decoder, spans, metrics, at = json.JSONDecoder(), [], set(), 0
    while (at := out.find("{", at)) >= 0:
        try:
            found, at = decoder.raw_decode(out, at)
        except ValueError:
            at += 1
            continue
        if "context" in found:
            spans.append(found)
        metrics |= set(re.findall(r'"name": "((?:paypro|http)\.[a-z_.]+)"', json.dumps(found)))
    return spans, metrics - {"paypro_async"}


async def test_a_file_that_is_paid_leaves_its_traces_and_metrics_when_it_ends(tmp_path, sandbox):
    """All of them: what the exporter still held is flushed at the end of the command."""
    write_file(tmp_path / "payouts.csv", [payout(number) for number in range(3)])
    words = ("batch", "payouts.csv", "--yes", "--quiet", "--result", "result.csv")
    code, out, err = await instrumented(tmp_path, sandbox.base_url, *words)
    assert code == 0, err
    spans, metrics = exported(out)
    names = [one["name"] for one in spans]
    assert names.count("paypro.payout") == names.count("POST /v1/paypro/payout") == 3
    assert names.count("paypro.batch") == 1
    assert {"paypro.payouts", "paypro.payout.duration", "http.client.request.duration"} <= metrics
    assert {"paypro.payouts.open", "paypro.ledger.commit.duration", "paypro.batch.duration"} <= metrics
    assert "SDK is not set up" not in err
    assert not [value for value in PERSONAL if value in out + err]
    assert "paypro.trade_no" not in out
    assert "payouts.csv" not in json.dumps(spans)

    code, out, err = await instrumented(
        tmp_path, sandbox.base_url, "reconcile", PAYPRO_OPENTELEMETRY="trade_no, amount"
    )
    spans, metrics = exported(out)
    questions = [one for one in spans if one["name"] == "POST /v1/paypro/queryPayOutResult"]
    assert len({one["attributes"]["paypro.trade_no"] for one in questions}) == 3
    assert "paypro.reconcile.duration" in metrics


async def test_a_worker_shows_its_numbers_to_prometheus_and_leaves_its_traces_when_it_is_told_to_end(
    tmp_path, sandbox, server
):
    """Each of its shards is a batch, to which its payouts are linked."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = environment(
        tmp_path,
        sandbox.base_url,
        PAYPRO_LEDGER=await server.ledger(),
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=str(port),
    )
    write_file(tmp_path / "payouts.csv", [payout(number) for number in range(9)])
    worker = await started(tmp_path, environ, "worker")
    try:
        words = ("batch", "payouts.csv", "--yes", "--quiet", "--workers", "--shard-size", "3")
        handing_out = await started(tmp_path, environ | {"PAYPRO_OPENTELEMETRY": "no"}, *words)
        async with asyncio.timeout(120):
            _, err = await handing_out.communicate()
        assert handing_out.returncode == 0, err.decode()
        _, _, page = await exchange(port, request("/metrics", b"", method="GET", length=False))
        worker.terminate()
        async with asyncio.timeout(120):
            out, err = await worker.communicate()
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.communicate()
    text = page.decode()
    assert re.search(r'paypro_payouts_total\{.*paypro_status="processing"\} 9', text)
    assert re.search(r"paypro_payouts_in_flight\{[^}]*\} 0", text)
    spans, _ = exported(out.decode())
    shards = {one["context"]["span_id"] for one in spans if one["name"] == "paypro.batch"}
    payments = [one for one in spans if one["name"] == "paypro.payout"]
    assert (len(shards), len(payments)) == (3, 9)
    assert {link["context"]["span_id"] for one in payments for link in one["links"]} == shards
    assert not [value for value in PERSONAL if value in text + out.decode() + err.decode()]


async def test_a_command_whose_sdk_nobody_has_set_up_says_so(terminal: Terminal):
    done = await terminal.run("balance", env={"PAYPRO_OPENTELEMETRY": "yes"})
    assert done.code == 0
    assert "nothing is exported. Begin the command with opentelemetry-instrument" in " ".join(done.err.split())
    assert "opentelemetry" not in (await terminal.run("balance", env={"PAYPRO_OPENTELEMETRY": "no"})).err


async def test_a_word_that_cannot_be_asked_for_is_refused_before_anything_is_sent(terminal: Terminal, sandbox):
    done = await terminal.run("balance", env={"PAYPRO_OPENTELEMETRY": "bank_number"})
    assert done.code == 2
    assert "'trade_no', 'amount', 'batch_id'" in " ".join(done.err.split())
    assert not sandbox.books.requests


def test_a_package_that_is_missing_is_named_by_its_extra(monkeypatch):
    monkeypatch.setenv("PAYPRO_OPENTELEMETRY", "yes")
    for name in [one for one in sys.modules if one.startswith("opentelemetry")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "paypro_async.integrations.opentelemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'paypro-async[opentelemetry]'")):
        hooks_asked_for()
