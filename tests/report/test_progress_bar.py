"""A bar for notebooks and terminals, which no program must have."""

import io
import sys
from typing import Any

import pytest

from paypro_async import ConfigurationError
from tests.support.merchant import fields, scripted_client
from tests.support.scripted import LOST, PAID, Scripted
from tests.support.virtual_time import virtual_time


@virtual_time
async def test_a_bar_shows_count_sum_rate_unknown_and_time_left(monkeypatch: pytest.MonkeyPatch):
    """And is left as it was at the end; without a notebook it is text on standard error."""
    pytest.importorskip("tqdm")
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    seen: list[Any] = []
    async with scripted_client(Scripted(LOST, PAID), timeout=5) as client:
        rows = [fields(f"T{number}", amount="50000") for number in range(40)]
        report = await client.batch_payout(rows, timeout=5, progress=True, on_progress=seen.append)
    last = written.getvalue().rpartition("\r")[2]
    assert "100%" in last
    assert "40/40" in last
    assert "payout/s" in last
    assert "20,00,000.00 INR" in last
    assert ("unknown" in last) == bool(report.unknown)
    assert last.endswith("\n")
    assert len(seen) >= 40


@virtual_time
async def test_a_source_without_a_length_has_a_bar_without_an_end(monkeypatch: pytest.MonkeyPatch):
    """It counts."""
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", written := io.StringIO())
    async with scripted_client(Scripted(PAID)) as client:
        await client.batch_payout((fields(f"T{number}") for number in range(3)), progress=True)
    assert "3payout" in written.getvalue()


@virtual_time
async def test_without_tqdm_nothing_is_begun(monkeypatch: pytest.MonkeyPatch):
    """The error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        with pytest.raises(ConfigurationError, match="pip install tqdm"):
            client.batch_payout([fields("T1")], progress=True)
    assert not transport.payouts
