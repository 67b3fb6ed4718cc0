"""Persons who look at the platform's dashboard and decide, some of them carelessly."""

from typing import Any

from paypro_async import DecisionRefusedError, LedgerUnavailableError, QueryResult, QuestionFailedError, State
from paypro_async._core.lifecycle import Entry
from paypro_async._core.transitions import Decision
from paypro_async.cli.ledger import decide as command
from paypro_async.ledger.changes import decide
from tests.simulation.loop import Process
from tests.simulation.replies import PAID, PROCESSING
from tests.support.merchant import MERCHANT_NO

_NO_MONEY = (Decision.NOT_PAID, Decision.PAY_AGAIN)


class Persons:
    """Decide now and then about what waits for them.

    Args:
        held: The payouts that a person has held, of which the last attempt may be still on its way.
        bold: Those that a person has decided to pay again without the platform being asked.
        paid_again: Those that a person has decided to pay again.
    """

    def __init__(self, world: Any) -> None:
        self._world = world
        self.held: set[str] = set()
        self.bold: set[str] = set()
        self.paid_again: set[str] = set()

    async def work(self, process: Process) -> None:
        """Look once at a payout, and decide if there is something to decide."""
        world, dice = self._world, self._world.dice
        entry = world.store.entry(dice.choice(world.merchant.rows)[0].trade_no)
        if entry is None:
            return
        decision = self._choice(entry)
        if decision is None:
            return
        orders = world.platform.orders[entry.trade_no] if decision in _NO_MONEY else ()
        gone = [order for order in orders if order.gone == "for ever" and not order.written_off]
        for order in gone:
            order.written_off = True  # nobody but the merchant knows of it any more
        try:
            await self._decide(process, entry, decision)
        except (DecisionRefusedError, LedgerUnavailableError):
            world.trace.met["person: is refused " + decision.value] += 1
            for order in gone:
                order.written_off = False

    async def _decide(self, process: Process, entry: Entry, decision: Decision) -> None:
        world = self._world
        # Pay-again without asking is asked about all the same, before it is sent.
        bold = decision is Decision.PAY_AGAIN and world.weather.careless and world.dice.random() < 0.5
        asks = decision is not Decision.HOLD and not bold
        client, ledger = world.clients[process]

        async def ask(_: Entry) -> QueryResult:
            try:
                heard = await client.query(entry.trade_no)
            except QuestionFailedError as error:
                raise DecisionRefusedError("The platform was not heard.", trade_no=entry.trade_no) from error
            if decision in _NO_MONEY:
                command._compare(decision, heard)
            return heard

        world.note("person", "would decide", entry.trade_no, decision.value, "" if asks else "without asking")
        self.held |= {entry.trade_no} if decision is Decision.HOLD else set()
        self.bold |= {entry.trade_no} if bold else set()
        self.paid_again |= {entry.trade_no} if decision is Decision.PAY_AGAIN else set()
        about = {"by": "person", "note": "the dashboard", "ask": ask if asks else None}
        decided = await decide(ledger, MERCHANT_NO, entry.trade_no, decision, **about)
        world.note("person", "has decided", entry.trade_no, decision.value, decided.state)
        world.trace.met["person: " + decision.value] += 1

    def _order(self, entry: Entry) -> Any:
        orders = self._world.platform.orders[entry.trade_no]
        return orders[0] if orders else None

    def _choice(self, entry: Entry) -> Decision | None:
        dice, careless = self._world.dice, self._world.weather.careless
        if entry.trade_no in self._world.platform.foreign:
            return None
        if entry.state is not State.REVIEW:
            may_hold = entry.state in (State.NEW, State.SENDING, State.PROCESSING, State.MISSING)
            return Decision.HOLD if may_hold and dice.random() < 0.6 else None
        if careless and dice.random() < 0.7:
            return dice.choice(_NO_MONEY)
        order = self._order(entry)
        if order is None or order.gone == "for ever":
            return dice.choice(_NO_MONEY)
        seen = self._world.platform.found(entry.trade_no)
        if seen is None:
            return None
        return {PAID: Decision.PAID, PROCESSING: Decision.PROCESSING}.get(seen.status, Decision.NOT_PAID)
