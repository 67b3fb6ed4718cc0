"""A platform that answers at once and a ledger that does not grow: what is left is the client itself."""

from paypro_async._core.lifecycle import FINAL, Change
from paypro_async._core.wire import Exchange, Phase, WireRequest
from paypro_async.ledger import MemoryLedger
from paypro_async.ledger.base import Written

__all__ = ["REPLY", "ForgetfulLedger", "NullTransport", "OneOrderLedger"]

REPLY = (
    b'{"msg":"success","code":"0000","timestamp":1719829933893,"success":true,"data":{"platFormTradeNo":'
    b'"32e936de44164512abe419a9d1b2449a","status":"0000","desc":"CREDIT_SUCCESS"}}'
)


class NullTransport:
    """Says at once that the payout was paid, which is final."""

    keeps_time = True
    exchange = Exchange(phase=Phase.ANSWERED, status=200, body=REPLY)

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        return self.exchange

    async def aclose(self) -> None:
        pass


class OneOrderLedger(MemoryLedger):
    """Takes every order for another one, though :class:`NullTransport` gives all the same number."""

    ends_when_cancelled = True

    async def move(self, change: Change) -> Written:
        self._orders.clear()
        return await super().move(change)


class ForgetfulLedger(OneOrderLedger):
    """Forgets what is final, and would pay it again: for measuring only."""

    async def move(self, change: Change) -> Written:
        moved = await super().move(change)
        if moved.entry.state in FINAL:
            del self._entries[change.merchant_no, change.trade_no]
        return moved
