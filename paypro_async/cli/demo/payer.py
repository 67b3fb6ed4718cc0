"""The paying process of the demonstration: a child, so that it can be killed for good."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import frozen

from paypro_async._core.signing import Md5Signer
from paypro_async.client import PayProClient
from paypro_async.sandbox import Sandbox

__all__ = ["MERCHANT_NO", "SECRET", "Payer"]

MERCHANT_NO = "0000000001"
SECRET = "sandbox-secret"  # noqa: S105  opens nothing but the sandbox
_IP_ADDRESS = "127.0.0.1"
_SETTLE_AFTER = 2  # seconds; longer than the sandbox's lag, a request's time-out and the send deadline together
_WATCH_SECONDS = 0.005
_WAIT_TIMEOUT = 60  # seconds for callbacks and questions to tell of every end


@frozen(kw_only=True)
class Payer:
    """Runs ``paypro batch`` on a file, as a user would.

    Args:
        sample: The file.
        ledger: The file of its ledger.
        base_url: The sandbox's.
        notify_url: Where callbacks go.
    """

    sample: Path
    ledger: Path
    base_url: str
    notify_url: str = "http://127.0.0.1:9/paypro"  # no program listens there

    def client(self) -> PayProClient:
        """A client for the same ledger and the same account."""
        return PayProClient(
            base_url=self.base_url,
            environment=Sandbox.environment,
            merchant_no=MERCHANT_NO,
            signer=Md5Signer(SECRET),
            ledger=str(self.ledger),
            ip_address=_IP_ADDRESS,
            notify_url=self.notify_url,
        )

    async def run_and_kill(self, booked: Callable[[], int], *, at: int) -> int | None:
        """Kill the process with SIGKILL once *at* payouts are booked. How many were then; None if it had ended."""
        async with self._started() as (process, said):
            while booked() < at and process.returncode is None:  # noqa: ASYNC110  the books send no events
                await asyncio.sleep(_WATCH_SECONDS)
            if process.returncode is not None:
                return None
            process.kill()
            await asyncio.shield(said)
        return booked()

    async def run(self) -> tuple[int, str]:
        """Pay and wait until every row is final and the process ends by itself; its exit code, and all that it said."""
        async with self._started("--wait", "--wait-timeout", str(_WAIT_TIMEOUT)) as (process, said):
            output, _ = await asyncio.shield(said)  # the end of the process is waited for after a Ctrl-C, too
        return process.returncode or 0, output.decode(errors="replace")

    @asynccontextmanager
    async def _started(
        self, *options: str
    ) -> AsyncIterator[tuple[asyncio.subprocess.Process, "asyncio.Future[tuple[bytes, bytes]]"]]:
        command = [sys.executable, "-m", "paypro_async", "batch", str(self.sample), "--yes"]
        command += ["--ledger", str(self.ledger), "--settle-after", str(_SETTLE_AFTER), *options]
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env=self._environment())
        said = asyncio.ensure_future(process.communicate())
        try:
            yield process, said
        finally:
            if process.returncode is None:
                process.kill()
            await said

    def _environment(self) -> dict[str, str]:
        # Whatever this machine has set up for PayPro or as a proxy, the demonstration stays on this machine.
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith("PAYPRO_") and not name.lower().endswith("_proxy")
        }
        return own | {
            "PAYPRO_BASE_URL": self.base_url,
            "PAYPRO_ENVIRONMENT": Sandbox.environment,
            "PAYPRO_MERCHANT_NO": MERCHANT_NO,
            "PAYPRO_SECRET": SECRET,
            "PAYPRO_IP_ADDRESS": _IP_ADDRESS,
            "PAYPRO_NOTIFY_URL": self.notify_url,
            "PYTHONUTF8": "1",
        }
