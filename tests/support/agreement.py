"""What must hold in the end: the ledger and the platform's books say the same, and each payout was made once."""

from collections.abc import Sequence

from paypro_async.ledger import Ledger
from paypro_async.sandbox import Sandbox
from tests.support.intents import MERCHANT


async def agree(sandbox: Sandbox, ledger: Ledger, trade_nos: Sequence[str]) -> None:
    """Each is booked exactly once, and the ledger says of each what the books say."""
    assert sandbox.books.booked_once(trade_nos).exact
    entries = await ledger.get_many(MERCHANT, trade_nos)
    booked = {one.trade_no: (one.amount, one.platform_trade_no, "succeeded") for one in sandbox.books.orders.values()}
    assert {number: (one.amount, one.platform_trade_no, one.state) for number, one in entries.items()} == booked
