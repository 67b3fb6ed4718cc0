"""One exchange with the platform: sign, send, classify. It decides nothing and remembers nothing."""

from collections.abc import Mapping
from decimal import Decimal
from inspect import isawaitable
from typing import Any

import anyio
from attrs import field, frozen

from paypro_async._core.models import Balance
from paypro_async._core.outcome import Codes, Outcome, classify_balance, classify_payout, classify_query
from paypro_async._core.regions import RegionSpec
from paypro_async._core.signing import Signer
from paypro_async._core.wire import Exchange, Phase, WireRequest, request_body
from paypro_async.errors import ConfigurationError
from paypro_async.log import logger
from paypro_async.process import ProcessId, refuse_forked, this_process
from paypro_async.runtime import Runtime
from paypro_async.transport import Transport

__all__ = ["Platform"]


@frozen(kw_only=True, eq=False)
class Platform:
    """PayPro as seen by one merchant of one region."""

    spec: RegionSpec
    base_url: str
    merchant_no: str
    signer: Signer
    transport: Transport
    runtime: Runtime
    codes: Codes
    opened_by: ProcessId = field(factory=this_process, init=False)

    async def sign(
        self, content: Mapping[str, str], path: str, *, timeout: float, send_by: float | None = None
    ) -> WireRequest:
        """Make one signed request. Each attempt gets its own timestamp, so each is signed anew.

        Raises:
            TimeoutError: If a signer that waits (a vault, an HSM) takes longer than *timeout* seconds.
        """
        fields = {**content, "timestamp": str(int(self.runtime.now().timestamp() * 1000))}
        signature: Any = self.signer.sign(fields)
        if not isinstance(signature, str) and isawaitable(signature):
            with anyio.fail_after(timeout):
                signature = await signature
        if not isinstance(signature, str):
            raise ConfigurationError("The signer returned no text. Its sign() must return the signature as str.")
        return WireRequest(
            url=self.base_url + path,
            body=request_body(fields, signature),
            merchant_no=self.merchant_no,
            send_by=send_by,
        )

    async def pay(self, request: WireRequest, *, trade_no: str, timeout: float) -> Outcome:
        """Send a signed payout and read what became of it.

        Raises:
            ClientStateError: If this process was forked since the client was opened. The parent sends it.
        """
        refuse_forked(self.opened_by, "The client")
        exchange = await self.transport.send(request, timeout=timeout)
        return classify_payout(exchange, self.codes, trade_no=trade_no)

    async def query(self, trade_no: str, *, amount: Decimal | None = None, timeout: float) -> Outcome:
        """Ask for one payout within *timeout* seconds, the signing included."""
        exchange = await self._ask({"tradeNo": trade_no}, self.spec.query_path, timeout)
        return classify_query(exchange, self.codes, trade_no=trade_no, amount=amount)

    async def balance(self, *, timeout: float) -> tuple[Outcome, Balance | None]:
        """Ask for the balance within *timeout* seconds, the signing included."""
        exchange = await self._ask({}, self.spec.balance_path, timeout)
        return classify_balance(exchange, currency=self.spec.currency)

    async def _ask(self, content: Mapping[str, str], path: str, timeout: float) -> Exchange:
        deadline = self.runtime.steady() + timeout
        try:
            request = await self.sign(content, path, timeout=timeout)
        except ConfigurationError:
            raise
        except Exception as error:
            # A signer may be a vault, and an unanswered question is all that its failure means here.
            logger.warning("A question to the platform could not be signed", exc_info=error)
            cause = f"the question could not be signed ({type(error).__name__})"
            return Exchange(phase=Phase.NOT_SENT, cause=cause)
        return await self.transport.send(request, timeout=max(0.0, deadline - self.runtime.steady()))
