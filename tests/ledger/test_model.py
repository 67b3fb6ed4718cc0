"""Any sequence of calls, on both stores, does what a dictionary would do.

The model is written from the protocol's words and shares no rule with the ledgers: it knows when a change applies and
what it leaves, and keeps the history that the file must hold in the end.
"""

import asyncio
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import LEGAL, Cause, Change, Entry, Reply, State
from paypro_async._core.payment_key import payment_key
from paypro_async._core.wire import Phase
from paypro_async.ledger import Ledger, MemoryLedger, Written
from paypro_async.ledger.base import OrderNumberTakenError
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.ledger.conftest import STORES
from tests.support.intents import ACCOUNT, MERCHANT, OTHER_MERCHANT, intent
from tests.support.postgres import Server

NUMBERS = ("A", "B", "C")
MERCHANTS = (MERCHANT, OTHER_MERCHANT)
INTENTS = tuple(
    evolve(intent(number, merchant_no=merchant, amount=amount), settle_after=60.0)
    for merchant in MERCHANTS
    for number in NUMBERS
    for amount in ("300", "12.50")
)
STEPS = tuple((state, to, cause) for (state, to), causes in LEGAL.items() for cause in sorted(causes))
FINISHED = {State.SUCCEEDED, State.FAILED, State.REVERSED}
WORDS = st.sampled_from([None, None, "0000", "00029", 'it\'s "quoted"; --', "पूर्ण ✓"])

Key = tuple[str, str]
TAKEN = "the order of another payout"


@define
class Row:
    intent: Intent
    state: State = State.SENDING
    attempt: int = 1
    doubt: bool = False
    phase: Phase | None = None
    reply: Reply | None = None
    told: dict[str, str] = field(factory=dict)

    def seen(self) -> dict[str, Any]:
        one = self.intent
        told = {name: self.told.get(name) for name in ("code", "message", "platform_trade_no", "utr")}
        return told | {
            "merchant_no": one.merchant_no,
            "trade_no": one.trade_no,
            "region": one.region,
            "fingerprint": one.fingerprint,
            "amount": one.amount,
            "currency": one.currency,
            "content": dict(one.content),
            "state": self.state,
            "attempt": self.attempt,
            "doubt": self.doubt,
            "phase": self.phase,
            "reply": self.reply,
        }


class Model:
    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.history: list[tuple[Any, ...]] = []

    def write(self, request: Intent | Change) -> tuple[bool, dict[str, Any]] | str | None:
        key = request.merchant_no, request.trade_no
        row = self.rows.get(key)
        if isinstance(request, Intent):
            if row is None:
                self.rows[key] = row = Row(request)
                self.history.append((key, None, State.SENDING, Cause.ATTEMPT, 1, None, None))
                return True, row.seen()
            return False, row.seen()
        return self._change(row, request) if row else None

    def _change(self, row: Row, change: Change) -> tuple[bool, dict[str, Any]] | str:
        if row.state != change.state or (change.attempt is not None and change.attempt != row.attempt):
            return False, row.seen()
        noting = change.state is change.to is State.SENDING and not change.begins and change.phase is not None
        if noting and row.phase is not None:
            return False, row.seen()
        if change.platform_trade_no is not None:
            others = [other for other in self.rows.values() if other is not row]
            mine = [other for other in others if other.intent.merchant_no == change.merchant_no]
            if any(other.told.get("platform_trade_no") == change.platform_trade_no for other in mine):
                return TAKEN
        row.state = change.to
        if change.begins:
            row.attempt += 1
            row.reply = row.phase = None
        else:
            row.reply = change.reply or row.reply
            row.phase = change.phase or row.phase
        if change.doubt is not None:
            row.doubt = change.doubt
        if change.code is not None:
            row.told.pop("message", None)
        for name in ("code", "message", "platform_trade_no", "utr"):
            if getattr(change, name) is not None:
                row.told[name] = getattr(change, name)
        key = change.merchant_no, change.trade_no
        step = change.state, change.to, change.cause
        self.history.append((key, *step, row.attempt, change.phase, change.code))
        return True, row.seen()


def seen(entry: Entry) -> dict[str, Any]:
    names = Row(INTENTS[0]).seen()
    return {name: getattr(entry, name) for name in names} | {"content": dict(entry.content)}


@st.composite
def changes(draw: st.DrawFn, rows: dict[Key, Row]) -> Change:
    """Mostly one that fits an entry as it is now; else any legal one, so often a stale one."""
    fitting = draw(st.sampled_from(sorted(rows))) if rows and draw(st.integers(0, 4)) else None
    merchant_no, trade_no = fitting or (draw(st.sampled_from(MERCHANTS)), draw(st.sampled_from(NUMBERS)))
    steps = [step for step in STEPS if not fitting or step[0] is rows[fitting].state] or list(STEPS)
    state, to, cause = draw(st.sampled_from(steps))
    attempts = [None, rows[fitting].attempt] if fitting else [None, 1, 2, 3]
    begins = to is State.SENDING and cause is Cause.ATTEMPT and draw(st.booleans())
    code = draw(WORDS)
    return Change(
        merchant_no=merchant_no,
        trade_no=trade_no,
        state=state,
        attempt=draw(st.sampled_from(attempts)),
        to=to,
        cause=cause,
        begins=begins,
        doubt=draw(st.sampled_from([None, True, False])),
        phase=None if begins else draw(st.sampled_from([None, *Phase])),
        reply=None if begins else draw(st.sampled_from([None, *Reply])),
        code=code,
        message=code and draw(WORDS),
        platform_trade_no=draw(WORDS),
        utr=draw(WORDS),
    )


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.runner = asyncio.Runner()
        self.ledger = self.make()

    def make(self) -> Ledger:
        raise NotImplementedError

    @initialize()
    def open(self) -> None:
        self.runner.run(self.ledger.open(ACCOUNT))

    @rule(requests=st.lists(st.sampled_from(INTENTS), min_size=1, max_size=4))
    def claim(self, requests: list[Intent]) -> None:
        self.together(requests)

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        self.together([data.draw(changes(self.model.rows))])

    @rule(data=st.data())
    def burst(self, data: st.DataObject) -> None:
        """Requests that wait at one time: a group, in which each acts on what those before it left."""
        mixed = st.one_of(st.sampled_from(INTENTS), changes(self.model.rows), changes(self.model.rows))
        self.together(data.draw(st.lists(mixed, min_size=2, max_size=8)))

    def together(self, requests: list[Any]) -> None:
        expected = [self.model.write(one) for one in requests]

        async def send() -> list[Any]:
            sent = (self.ledger.claim(one) if isinstance(one, Intent) else self.ledger.move(one) for one in requests)
            return await asyncio.gather(*sent, return_exceptions=True)

        answers = self.runner.run(send())
        got = [(one.done, seen(one.entry)) if isinstance(one, Written) else one for one in answers]
        refused = {KeyError: None, OrderNumberTakenError: TAKEN}
        assert [refused.get(type(one), one) for one in got] == expected

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Every way of reading tells the same."""
        for merchant in MERCHANTS:
            rows = {number: row for (owner, number), row in sorted(self.model.rows.items()) if owner == merchant}
            found = self.runner.run(self.ledger.get_many(merchant, NUMBERS))
            told = {number: seen(entry) for number, entry in found.items()}
            assert told == {number: row.seen() for number, row in rows.items()}
            waiting = [number for number, row in rows.items() if row.state not in FINISHED]
            pages = self.runner.run(self.pages(merchant))
            assert [number for page in pages for number in page] == waiting
            by_payment: dict[str | None, list[tuple[str, State]]] = {}
            for number, row in rows.items():
                key = payment_key(row.intent.region, row.intent.content)
                by_payment.setdefault(key, []).append((number, row.state))
            keys = {key for one in INTENTS if (key := payment_key(one.region, one.content))}
            same = self.runner.run(self.ledger.same_payments(merchant, sorted(keys)))
            assert {
                key: sorted((one.trade_no, one.state) for one in found) for key, found in same.items()
            } == by_payment

    @invariant()
    def tells_what_the_model_has_seen(self) -> None:
        """The history of each payout, step by step, with every cause."""
        for key in self.model.rows:
            steps = [one[1:] for one in self.model.history if one[0] == key]
            told = self.runner.run(self.ledger.history(*key))
            assert [(one.before, one.to, one.cause, one.attempt, one.phase, one.code) for one in told] == steps

    async def pages(self, merchant: str) -> list[list[str]]:
        pages = [[""]]
        while page := await self.ledger.open_entries(merchant, after=pages[-1][-1], limit=2):
            assert len(pages) <= len(NUMBERS)
            pages.append([entry.trade_no for entry in page])
        return pages[1:]

    def teardown(self) -> None:
        self.runner.run(self.ledger.aclose())
        self.runner.close()


class MemoryMachine(LedgerMachine):
    def make(self) -> Ledger:
        return MemoryLedger()


class SqlMachine(LedgerMachine):
    url: str

    def make(self) -> Ledger:
        self.url = self.empty()
        self.other: Ledger | None = None
        return SqlLedger(self.url)

    def empty(self) -> str:
        self.directory = TemporaryDirectory()
        return f"sqlite:///{self.directory.name}/ledger.db"

    @rule()
    def reopen(self) -> None:
        """Closing and opening forgets nothing."""
        self.runner.run(self.ledger.aclose())
        self.ledger = SqlLedger(self.url)
        self.open()

    @rule()
    def change_places(self) -> None:
        """Another process goes on, and what the first one knew of its payouts gets old."""
        self.ledger, self.other = self.other or SqlLedger(self.url), self.ledger
        self.open()

    def teardown(self) -> None:
        if self.other is not None:
            self.runner.run(self.other.aclose())
        super().teardown()
        self.directory.cleanup()


def postgres_machine(server: Server) -> type[LedgerMachine]:
    """The same over one database of *server*, which is emptied before each example."""
    url = asyncio.run(server.ledger())

    class PostgresMachine(SqlMachine):
        def empty(self) -> str:
            self.directory = TemporaryDirectory()
            # With what it is known by, or it would be one that has forgotten something.
            server.run("TRUNCATE payout, event, account, batch, pace; DELETE FROM meta WHERE key = 'tables'", url=url)
            return url

    return PostgresMachine


@pytest.mark.parametrize("store", STORES)
def test_any_sequence_of_calls_does_what_the_model_does(store: str, request: pytest.FixtureRequest):
    """Claims, changes, bursts and readings; and the append-only history."""
    machines = {"memory": MemoryMachine, "sqlite": SqlMachine}
    machine = machines.get(store) or postgres_machine(request.getfixturevalue("server"))
    # An example is a whole story on a database: as long as ten of other properties.
    few = settings(max_examples=settings.default.max_examples // 6, stateful_step_count=12)
    run_state_machine_as_test(machine, settings=few)
