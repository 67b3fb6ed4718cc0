"""Starts the programs beside this file as processes of their own."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def program(name: str, *arguments: Any) -> AsyncIterator[Process]:
    """``tests/ledger/<name>.py`` while the block runs; none is left behind."""
    command = [sys.executable, "-m", f"tests.support.programs.{name}", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate(b"")


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def tell(process: Process, text: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{text}\n".encode())
    await process.stdin.drain()


async def finished(process: Process, *, within: float = 20) -> tuple[int, str, str]:
    """Its exit code and what it still printed on each channel."""
    async with asyncio.timeout(within):
        output, errors = await process.communicate(b"")
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()
