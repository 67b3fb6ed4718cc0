"""Forks itself in one of the ways below, with a ledger or a client that was made or opened before.

It prints one value of JSON: what the child said, and what the parent could do afterwards.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.null import REPLY
from paypro_async import Md5Signer, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async._core.wire import Exchange, Phase, WireRequest
from paypro_async.errors import PayProError
from paypro_async.ledger import open_ledger
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, FIELDS, MERCHANT, change, intent

NUMBERS = [f"T{n}" for n in range(40)]


def forked(work: Callable[[], Awaitable[Any]]) -> int:
    """A child that does *work* in an event loop of its own; where its answer, or its error, is to be read."""
    answers, answer = os.pipe()
    if os.fork() == 0:
        try:
            said = asyncio.run(asyncio.wait_for(work(), 20))  # type: ignore[arg-type]
        except (PayProError, TimeoutError) as error:
            said = [type(error).__name__, str(error)]
        os.write(answer, json.dumps(said).encode())
        os._exit(0)
    os.close(answer)
    return answers


def told(answers: int) -> Any:
    with os.fdopen(answers, "rb") as pipe:
        text = pipe.read()
    os.wait()
    return json.loads(text)


def claims_of_workers(url: str) -> Any:
    """A ledger is made once, as a module-level client has it, and two workers open it and claim the same numbers."""
    ledger = open_ledger(url)

    async def claim() -> list[str]:
        await ledger.open(ACCOUNT)
        won = [number for number in NUMBERS if (await ledger.claim(intent(number))).done]
        await ledger.aclose()
        return won

    return [told(forked(claim)), told(forked(claim))]


def sends_of_workers(url: str) -> Any:
    """The same for the announcement of a second attempt, after one worker has said that the first was not sent."""
    ledger = open_ledger(url)

    async def announce() -> list[str]:
        await ledger.open(ACCOUNT)
        won = []
        for number in NUMBERS:
            again = change(State.SENDING, number, state=State.NEW, attempt=1, begins=True)
            won += [number] if (await ledger.move(again)).done else []
        await ledger.aclose()
        return won

    async def prepare() -> None:
        other = SqlLedger(url)
        await other.open(ACCOUNT)
        for number in NUMBERS:
            await other.claim(intent(number))
            await other.move(change(State.NEW, number))
        await other.aclose()

    asyncio.run(prepare())
    return [told(forked(announce)), told(forked(announce))]


def opened_ledger(url: str) -> Any:
    """A ledger that the parent opened is used and closed by the child, and then by the parent."""
    ledger = open_ledger(url)

    async def claim() -> list[str]:
        return [str((await ledger.claim(intent("OF-CHILD"))).done)]

    async def close() -> str:
        await ledger.aclose()
        return "closed"

    with asyncio.Runner() as parent:
        parent.run(ledger.open(ACCOUNT))
        parent.run(ledger.claim(intent("BEFORE")))
        child = [told(forked(claim)), told(forked(close))]
        done = parent.run(ledger.claim(intent("AFTER"))).done
        found = parent.run(ledger.get_many(MERCHANT, ["BEFORE", "AFTER", "OF-CHILD"]))
        parent.run(ledger.aclose())
    return {"child": child, "parent": done, "found": sorted(found)}


def opened_client(url: str, base_url: str) -> Any:
    """A client that the parent opened pays in the child, which then closes it; and then in the parent."""
    client = PayProClient(
        base_url=base_url, merchant_no=MERCHANT, signer=Md5Signer("sandbox-secret"), ledger=url, environment="sandbox"
    )

    async def pay(number: str) -> str:
        return (await client.payout({**FIELDS, "trade_no": number})).status.value

    async def close() -> str:
        await client.aclose()
        return "closed"

    with asyncio.Runner() as parent:
        parent.run(client.open())
        parent.run(pay("BEFORE"))
        child = [told(forked(lambda: pay("OF-CHILD"))), told(forked(client.balance)), told(forked(close))]
        paid = parent.run(pay("AFTER"))
        parent.run(client.aclose())
    return {"child": child, "parent": paid}


def file_of_parent(url: str, url_of_child: str, purpose: str) -> Any:
    """The parent has a file open; a child opens a ledger of its own on it, directly and after exec; then the parent
    closes it and the next child tries.
    """
    ledger = SqlLedger(url)

    async def claim() -> str:
        own = SqlLedger(url_of_child)
        await getattr(own, purpose)(*([ACCOUNT] if purpose == "open" else []))
        entry = await own.get(MERCHANT, "BEFORE")
        await own.aclose()
        return "none" if entry is None else entry.trade_no

    with asyncio.Runner() as parent:
        parent.run(ledger.open(ACCOUNT))
        parent.run(ledger.claim(intent("BEFORE")))
        child = told(forked(claim))
        started = subprocess.run(
            [sys.executable, "-m", "tests.support.programs.claimer", url, "5", "falls"],
            input="\n\n",
            text=True,
            capture_output=True,
            check=True,
        )
        parent.run(ledger.claim(intent("AFTER")))
        parent.run(ledger.aclose())
        later = told(forked(claim))
    return {"child": child, "started": started.stdout.splitlines()[-1], "later": later}


def fork_while_paying(sent: str) -> Any:
    """A signer forks between the announcement of a payout and its sending; the child goes on with the same payout."""

    class ForkingSigner:
        def sign(self, fields: Any) -> str:
            forks.append(os.fork())
            return "0" * 32

    class Transport:
        async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
            os.close(os.open(f"{sent}/{os.getpid()}", os.O_CREAT))
            return Exchange(phase=Phase.ANSWERED, status=200, body=REPLY)

    async def pay() -> str:
        client = PayProClient(
            base_url="https://x.example",
            merchant_no=MERCHANT,
            signer=ForkingSigner(),
            ledger="memory",
            transport=Transport(),
        )
        await client.open()
        try:
            return (await client.payout({**FIELDS, "trade_no": "T1"})).status.value
        except PayProError as error:
            return type(error).__name__

    forks: list[int] = []
    answers, answer = os.pipe()
    status = asyncio.run(pay())
    if forks == [0]:
        os.write(answer, json.dumps(status).encode())
        os._exit(0)
    os.close(answer)
    return {"child": told(answers), "parent": status}


WAYS = {
    way.__name__: way
    for way in (claims_of_workers, sends_of_workers, opened_ledger, opened_client, file_of_parent, fork_while_paying)
}


def main(way: str, *arguments: str) -> None:
    print(json.dumps(WAYS[way](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
