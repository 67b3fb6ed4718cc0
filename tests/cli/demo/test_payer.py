"""The paying process of the demonstration."""

import asyncio
import sys
from pathlib import Path

import pytest

from paypro_async.cli.demo.payer import Payer


async def test_an_interrupted_demonstration_has_seen_the_end_of_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a Ctrl-C neither the process nor its pipe is left to an event loop that has ended."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*command: str, **settings: object) -> asyncio.subprocess.Process:
        started.append(await start(*command, **settings))  # type: ignore[arg-type]
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    payer = Payer(sample=tmp_path / "sample.csv", ledger=tmp_path / "payouts.db", base_url="http://127.0.0.1:9")
    running = asyncio.create_task(payer.run())
    while not started:  # noqa: ASYNC110  the process is started somewhere below
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert started[0].returncode == -9
