"""Runs a command in this process, as its entry point would, beside an event loop."""

import asyncio
import json
from typing import Any

import pytest

from paypro_async.cli.app import run
from tests.support.intents import FIELDS
from tests.support.terminal import Done

PERSONAL = [FIELDS[name] for name in ("name", "mobile", "email", "bank_number", "ip_address", "notify_url")]


class Commands:
    """``paypro ledger`` and what it says; no personal value may be in it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *words: str, code: int = 0, unmasked: bool = False) -> Done:
        self._capsys.readouterr()
        ended = await asyncio.to_thread(run, ["ledger", *words])
        out, err = self._capsys.readouterr()
        assert ended == code, err
        assert "Traceback" not in out + err
        assert "Unexpected" not in err
        assert unmasked or not [value for value in PERSONAL if value in out + err]
        return Done(ended, out, err)

    async def json(self, *words: str, code: int = 0) -> Any:
        return json.loads((await self(*words, "--json", code=code)).out)
