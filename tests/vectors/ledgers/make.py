"""Make the ledgers of older schemas anew, each by the code that had it: ``python tests/vectors/ledgers/make.py``.

It takes the last commit of each schema out of the history, and has that code pay seven payouts at a small server which
pays, fails, refuses, goes on processing and loses a reply. It is run by hand, once for each schema that a release has
brought; the files are kept, since nothing else can make them again when the history is no longer at hand.
"""

import asyncio
import inspect
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COMMITS = {1: "ea851eb0^", 2: "fc3fe568^", 3: "6d7e7103^", 4: "b3d54000^", 5: "948a0ce1^", 6: "2e5cb37d^"}
"""The last commit of each schema."""
HERE = Path(__file__).parent
STATUSES = {"PAID": "0000", "PROCESSING": "0015", "FAILED": "00029"}
PAYEE = {
    "amount": "300",
    "name": "Asha Rao",
    "mobile": "8234567890",
    "email": "asha@gmail.com",
    "bank_code": "IDFB0043121",
    "ip_address": "203.0.113.7",
    "notify_url": "https://merchant.example/paypro",
}
NUMBERS = ("PAID-1", "PROCESSING-1", "FAILED-1", "UNKNOWN-1")
BATCH = ("PAID-2", "PROCESSING-2", "UNKNOWN-2")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What becomes of a payout stands in its number; of an unknown one no reply comes, whatever is asked."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(int(one.split(b":")[1]) for one in head.lower().split(b"\r\n") if b"content-length" in one)
            asked = json.loads(await reader.readexactly(length))
            number = asked["tradeNo"]
            status = STATUSES.get(number.partition("-")[0])
            if status is None:
                break
            data = {"platFormTradeNo": f"order-of-{number}", "status": status, "desc": "said", "tradeNo": number}
            data |= {"remark": asked.get("remark", number), "amount": "300"}
            body = json.dumps(
                {"msg": "success", "code": "0000", "timestamp": 1, "success": True, "data": data}
            ).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionResetError):
        pass
    finally:
        writer.close()


async def pay(path: str) -> None:
    """Runs with the old code."""
    from paypro_async import Md5Signer, PayProClient, PayProError

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings: dict[str, Any] = {
        "base_url": f"http://127.0.0.1:{port}",
        "merchant_no": "0000000001",
        "signer": Md5Signer("sandbox-secret"),
        "ledger": f"sqlite:///{path}",
        "environment": "vectors",
        "settle_after": 1.5,
        "request_timeout": 0.5,
        "send_within": 0.5,
    }
    known = inspect.signature(PayProClient.__init__).parameters
    async with PayProClient(**{name: value for name, value in settings.items() if name in known}) as client:
        for place, number in enumerate(NUMBERS):
            try:
                await client.payout(trade_no=number, bank_number=f"5010000000000{place}", timeout=2.0, **PAYEE)
            except PayProError as error:
                print(number, type(error).__name__)
        rows = [
            {**PAYEE, "trade_no": number, "bank_number": f"5020000000000{place}"} for place, number in enumerate(BATCH)
        ]
        named = {"batch_id": "salaries"} if "batch_id" in inspect.signature(client.batch_payout).parameters else {}
        print(await client.batch_payout(rows, timeout=2.0, **named))
        try:
            from paypro_async import import_batch
        except ImportError:
            pass
        else:
            planned = [{**PAYEE, "trade_no": f"PAID-{n}", "bank_number": f"50300000000{n}"} for n in (31, 32, 33)]
            await import_batch(client, planned, batch_id="planned")
    server.close()


def main() -> None:
    if len(sys.argv) > 1:
        asyncio.run(pay(sys.argv[1]))
        return
    root = HERE.parents[2]
    for version, commit in COMMITS.items():
        with tempfile.TemporaryDirectory() as name:
            code, made = Path(name, "code"), Path(name, "made.db")
            code.mkdir()
            packed = subprocess.run(
                ["git", "archive", commit, "paypro_async"], cwd=root, check=True, capture_output=True
            )
            subprocess.run(["tar", "-x", "-C", str(code)], input=packed.stdout, check=True)
            environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONWARNINGS": "ignore"}
            subprocess.run([sys.executable, __file__, str(made)], check=True, env=environment, cwd=name)
            # As one file without a log, and without the pages that are free in it.
            target = HERE / f"schema-{version}.sqlite"
            target.unlink(missing_ok=True)
            subprocess.run([sys.executable, "-c", _VACUUM, str(made), str(target)], check=True)
            print(version, target.stat().st_size)


_VACUUM = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', (sys.argv[2],))"

if __name__ == "__main__":
    main()
