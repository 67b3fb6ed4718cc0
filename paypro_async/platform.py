"""One exchange with the platform: sign, send, classify. It decides nothing and remembers nothing."""

from collections.abc import Mapping
from decimal import Decimal
from inspect import isawaitable
from typing import Any

from attrs import frozen

from paypro_async._core.outcome import Codes, Outcome, classify_payout, classify_query
from paypro_async._core.regions import RegionSpec
from paypro_async._core.signing import Signer
from paypro_async._core.wire import Exchange, WireRequest, request_body
from paypro_async.errors import ConfigurationError
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

    async def sign(self, content: Mapping[str, str], path: str, *, send_by: float | None = None) -> WireRequest:
        """Make one signed request. Each attempt gets its own timestamp, so each is signed anew."""
        fields = {**content, "timestamp": str(int(self.runtime.now().timestamp() * 1000))}
        signature: Any = self.signer.sign(fields)
        if isawaitable(signature):
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
        """Send a signed payout and read what became of it."""
        exchange = await self.transport.send(request, timeout=timeout)
        return classify_payout(exchange, self.codes, trade_no=trade_no)

    async def query(self, trade_no: str, *, amount: Decimal | None = None, timeout: float) -> Outcome:
        """Ask for one payout."""
        request = await self.sign({"tradeNo": trade_no}, self.spec.query_path)
        exchange = await self.transport.send(request, timeout=timeout)
        return classify_query(exchange, self.codes, trade_no=trade_no, amount=amount)

    async def balance(self, *, timeout: float) -> Exchange:
        """Ask for the balance."""
        return await self.transport.send(await self.sign({}, self.spec.balance_path), timeout=timeout)
