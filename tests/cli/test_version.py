"""What a report of a bug needs: ``paypro --version --verbose``."""

import re

import pytest

from paypro_async.cli.app import run
from paypro_async.ledger.sql.migrations import SCHEMA_VERSION
from paypro_async.settings import KNOWN


def test_the_version_alone_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """As scripts read it."""
    assert run(["--version"]) == 0
    assert re.fullmatch(r"paypro, version \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_with_verbose_it_tells_each_part_and_nothing_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every dependency and extra with its version; of the environment names alone."""
    for name in KNOWN:
        monkeypatch.setenv(name, "4711-hidden")
    monkeypatch.delenv("PAYPRO_LOG")
    monkeypatch.delenv("PAYPRO_OPENTELEMETRY")
    monkeypatch.setenv("PAYPRO_ELSE", "x")
    assert run(["--version", "--verbose"]) == 0
    told = capsys.readouterr().out
    facts = dict(line.split(": ", 1) for line in told.splitlines()[1:])
    assert facts["ledger schema"] == str(SCHEMA_VERSION)
    assert re.search(r"httpx \d+\.\d+", facts["requires"])
    assert re.search(r"cryptography \d", facts["[encryption]"])
    assert {"python", "system", "sqlite", "openssl", "encodings"} <= facts.keys()
    assert "PAYPRO_SECRET" in facts["variables set"]
    assert "4711" not in told
    assert "PAYPRO_ELSE" not in told
    assert "/" not in facts["paypro-async"]


def test_verbose_alone_is_a_slip(capsys: pytest.CaptureFixture[str]) -> None:
    """It belongs to --version."""
    assert run(["--verbose"]) == 2
    assert "goes with --version" in capsys.readouterr().err
