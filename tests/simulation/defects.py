"""Defects to plant into the product, each without one thing that keeps a payout from being paid twice or lost."""

from paypro_async._core import lifecycle, outcome, retry, stopping, tally
from paypro_async._core import transitions as learning
from paypro_async.batch import scheduler
from paypro_async.cli.ledger import decide as command
from paypro_async.engine import control, platform, recording
from paypro_async.engine import payout as engine
from paypro_async.engine import single_flight as flights
from paypro_async.ledger import changes, memory, memory_outbox
from paypro_async.tracking import delivery, receiver, reconcile
from tests.simulation.mutations import Mutation

_PAID_TWICE = (
    "announced twice",
    "sent twice",
    "booked twice",
    "sent though not announced",
    "booked though not announced",
    "called unsent",
)

_UNTRUE = ("called processing", "called succeeded", "called failed", "called reversed")

_PAY = "outcome, exchange = await self.session.platform.pay(request, entry, timeout=self._patience(flight))"

MUTATIONS = {
    "an unknown attempt is sent again at once": Mutation(
        retry,
        "_ask",
        "    if at.refused:",
        "    if at.last is Verdict.UNKNOWN and at.sends < at.max_attempts:\n"
        "        return Step(Action.SEND)\n"
        "    if at.refused:",
        (*_PAID_TWICE, "sent again unasked"),
    ),
    "the intent is stored behind the send": Mutation(
        recording.Recording,
        "claim",
        "await answer_within(timeout, self.ledger, self.ledger.claim(intent), self._deadlines)",
        "await self.ledger.get(intent.merchant_no, intent.trade_no)\n"
        "        if written is None:\n"
        "            late = lambda: asyncio.ensure_future(self.ledger.claim(intent))\n"
        "            asyncio.get_running_loop().call_later(1, late)\n"
        "            written = first_entry(intent, self.session.runtime.now())\n"
        "            written = Written(written, done=True)\n"
        "        else:\n"
        "            written = Written(written, done=False)",
        ("sent before stored",),
    ),
    "a ledger that fails is worked around": Mutation(
        recording.Recording,
        "claim",
        "    except LedgerUnavailableError as error:\n",
        "    except LedgerUnavailableError as error:\n"
        "        written = Written(first_entry(intent, self.session.runtime.now()), done=True)\n"
        "    except ZeroDivisionError as error:\n",
        ("sent before stored", "sent with other content", *_PAID_TWICE),
    ),
    "the content is not compared": Mutation(
        recording.Recording,
        "claim",
        "written.entry.fingerprint != intent.fingerprint",
        "False",
        ("told about another payout",),
    ),
    "who loses the claim sends anyway": Mutation(
        engine.Engine, "begin", "announcing if written.done else None", "announcing", _PAID_TWICE
    ),
    "who loses the announcement sends anyway": Mutation(
        engine.Engine, "_announce", "if not written.done:", "if False:", _PAID_TWICE
    ),
    "the send deadline is not handed on": Mutation(
        engine.Engine, "_exchange", "announced_at + self.session.times.send_within", 'float("inf")', _PAID_TWICE
    ),
    "the settle window is ignored": Mutation(
        retry.RetryPolicy, "settled", "age >= window - _ROUNDING", "True", (*_PAID_TWICE, "called failed")
    ),
    "one absence is enough": Mutation(
        retry, "next_step", ">= BELIEVED_ABSENCES", ">= 1", (*_PAID_TWICE, "called failed")
    ),
    "one absence is enough to reconcile": Mutation(
        reconcile.Reconciliation,
        "_ask",
        ">= BELIEVED_ABSENCES",
        ">= 1",
        ("called unsent", "called failed", "review without need"),
    ),
    "reconciling does not wait for the settle window": Mutation(
        reconcile.Reconciliation,
        "_ask",
        "if settled else 0",
        "",
        ("called unsent", "called failed", "review without need"),
    ),
    "the two questions are not spaced": Mutation(
        retry, "_ask", "max(policy.ask_spacing, _hint(at, policy))", "0.0", _PAID_TWICE
    ),
    "compare-and-set does not compare": Mutation(
        lifecycle,
        "applies",
        "entry.state is not change.state or change.attempt not in (None, entry.attempt)",
        "False",
        (*_PAID_TWICE, "history", "final moved", "review left"),
    ),
    "a late word of an old attempt counts for the new one": Mutation(
        learning, "after_attempt", "entry.attempt != sent", "False", _PAID_TWICE
    ),
    "a belief takes back a newer attempt": Mutation(
        learning,
        "after_absence",
        "attempt=entry.attempt,\n"
        "        to=to,\n"
        "        cause=cause,\n"
        "        doubt=True if to is State.NEW else None,\n"
        "        sent_at=_believed(entry),",
        "attempt=None,\n        to=to,\n        cause=cause,\n        doubt=True if to is State.NEW else None,",
        (*_PAID_TWICE, "called failed"),
    ),
    "a belief outlives the ledger that it was about": Mutation(
        learning, "_believed", "entry.sent_at if entry.state is State.SENDING else None", "None", _PAID_TWICE
    ),
    "a refusal in doubt is final": Mutation(learning, "after_attempt", " if not entry.doubt:", ":", ("called failed",)),
    "unknown is failed": Mutation(
        learning,
        "after_attempt",
        "case Verdict.FAILED | Verdict.REFUSED if not entry.doubt:",
        "case Verdict.FAILED | Verdict.REFUSED | Verdict.UNKNOWN if not entry.doubt:",
        ("called failed",),
    ),
    "no such order is failed": Mutation(
        learning,
        "after_query",
        "    return _said(entry, outcome, cause)",
        "    if entry.state is State.SENDING and outcome.verdict is Verdict.NO_SUCH_ORDER:\n"
        "        return _change(entry, State.FAILED, cause, outcome)\n"
        "    return _said(entry, outcome, cause)",
        ("called failed",),
    ),
    "resend='never' sends again": Mutation(
        learning, "after_absence", "elif not (resend and entry.resend):", "elif False:", ("sent again unasked",)
    ),
    "maybe sent is not sent": Mutation(
        outcome,
        "_unanswered",
        "exchange.phase is Phase.NOT_SENT",
        "exchange.phase is not Phase.ANSWERED",
        ("called unsent", "called failed"),
    ),
    "a server error over a refusal is a refusal": Mutation(
        outcome,
        "_before_the_envelope",
        'return _unknown(exchange, f"HTTP {status}", envelope)',
        "return envelope",
        ("called failed",),
    ),
    "a system error is a refusal": Mutation(
        outcome, "_refused", "codes.proves_nothing(code)", "False", ("called failed",)
    ),
    "a duplicate is a refusal": Mutation(
        outcome, "_refused", "verdict = Verdict.DUPLICATE", "verdict = Verdict.REFUSED", ("called failed",)
    ),
    "a reply about another order is believed": Mutation(
        outcome,
        "_order",
        "order.tradeNo != trade_no",
        "False",
        ("called processing", "called succeeded", "called failed"),
    ),
    "another amount is the same payout": Mutation(
        outcome, "_is_foreign", "outcome.amount in (None, amount)", "True", ("called succeeded",)
    ),
    "a new attempt is as old as the one before": Mutation(
        lifecycle,
        "changed",
        "restarts = begins or change.cause is Cause.RESTORE",
        "restarts = False",
        (*_PAID_TWICE, "review without need"),
    ),
    "the age of an attempt follows the process's wall clock": Mutation(
        recording.Recording,
        "age",
        "age = entry.age + (now - seen_at)",
        "age = (self.session.runtime.now() - entry.sent_at).total_seconds()",
        (*_PAID_TWICE, "review without need"),
    ),
    "that an attempt is in doubt is forgotten": Mutation(
        learning, "next_attempt", "True if entry.state is State.SENDING else None", "None", ("called failed",)
    ),
    "a cancelled call says that nothing was sent": Mutation(
        engine.Engine,
        "_exchange",
        _PAY,
        f"try:\n        {_PAY}\n    except asyncio.CancelledError:\n"
        "        outcome, exchange = Outcome(verdict=Verdict.NOT_SENT), None",
        _PAID_TWICE,
    ),
    "callbacks are not heard": Mutation(
        learning,
        "after_query",
        "    verdict =",
        "    if cause is Cause.CALLBACK:\n        return None\n    verdict =",
        ("not heard",),
    ),
    "a claim replaces what was there": Mutation(
        memory.MemoryLedger, "claim", "key in self._entries", "False", ("claimed twice", *_PAID_TWICE)
    ),
    "calls that join are not compared": Mutation(
        flights.SingleFlight, "_join", "call.fingerprint != intent.fingerprint", "False", ("told about another payout",)
    ),
    "a refusal under a code that no page lists is final at once": Mutation(
        outcome,
        "_refused",
        "Verdict.REFUSED if codes.is_listed(code) else Verdict.UNLISTED",
        "Verdict.REFUSED",
        ("called failed",),
    ),
    "so is a failure under a status that no page lists": Mutation(
        outcome,
        "_verdict_of_status",
        "return Verdict.FAILED if codes.is_listed(status) or status in codes.duplicate else Verdict.UNLISTED",
        "return Verdict.FAILED",
        ("called failed",),
    ),
    "words turn no refusal into a question": Mutation(
        outcome, "_refused", "or speaks_of_doubt(envelope.msg)", "", ("called failed",)
    ),
    "whoever answers is the platform": Mutation(
        outcome, "_envelope", "if not codes.is_one(envelope.code):", "if False:", ("called failed",)
    ),
    "a contradiction is not noticed": Mutation(
        outcome,
        "_envelope",
        "if succeeded is not None and succeeded != (envelope.code == ACCEPTED):",
        "if False:",
        ("called failed",),
    ),
    "a process's own settle window counts, and not the stored one": Mutation(
        retry.RetryPolicy, "window", "max(self.settle_after, stored)", "self.settle_after", _PAID_TWICE
    ),
    "resend='never' of the entry is ignored": Mutation(
        learning, "after_absence", "not (resend and entry.resend)", "not resend", ("sent again unasked",)
    ),
    "what was believed absent is sent without being asked about": Mutation(
        retry, "next_step", "if at.asks_first", "if False", _PAID_TWICE
    ),
    "HTTP 429 is sent again without being asked about": Mutation(
        learning,
        "after_attempt",
        "Reply.BUSY if outcome.verdict is Verdict.RATE_LIMITED else None",
        "None",
        _PAID_TWICE,
    ),
    "an order that was there before is adopted without evidence": Mutation(
        learning,
        "_is_ours",
        "outcome.paid_at is not None and outcome.paid_at >= announced",
        "True",
        ("called succeeded",),
    ),
    "an order from long before is ours": Mutation(
        learning, "_is_perhaps_anothers", "outcome.paid_at < entry.created_at - _CLOCKS_DIFFER", "False", _UNTRUE
    ),
    "an echo is not compared": Mutation(outcome, "_order", "order.remark == echo", "True", (*_UNTRUE, "not explained")),
    "a reply that names nobody keeps its connection": Mutation(
        platform, "_leave", "if exchange.discard is not None:", "if False:", (*_UNTRUE, *_PAID_TWICE)
    ),
    "the order number of another payout is taken": Mutation(
        memory.MemoryLedger, "move", "owned = owner != change.trade_no and ", "owned = False and ", _UNTRUE
    ),
    "what is missing stays processing": Mutation(
        learning,
        "_said",
        "    to = _SAID.get((entry.state, verdict))",
        "    if outcome.verdict is Verdict.NO_SUCH_ORDER:\n"
        "        return None\n"
        "    to = _SAID.get((entry.state, verdict))",
        ("not explained",),
    ),
    "what is missing is sent again": Mutation(
        learning,
        "after_absence",
        "if entry.state is State.MISSING or ",
        "if entry.state is State.MISSING:\n        to = State.FAILED\n    elif ",
        ("called failed",),
    ),
    "a restored ledger sends at once": Mutation(
        lifecycle, "first_entry", "attempt=0 if restored_since else 1", "attempt=1", _PAID_TWICE
    ),
    "what a restored ledger has forgotten has no settle window": Mutation(
        lifecycle,
        "first_entry",
        "sent_at=restored_since or now",
        "sent_at=restored_since.replace(year=2000) if restored_since else now",
        _PAID_TWICE,
    ),
    "the answer of the control question is not believed": Mutation(
        control.Control,
        "_verdict",
        "answer is not None and answer.code == outcome.code",
        "False",
        ("not explained",),
    ),
    "the control question says yes to everything": Mutation(
        control.Control,
        "_verdict",
        "answer is not None and answer.code == outcome.code",
        "True",
        ("called failed", *_PAID_TWICE),
    ),
    "the control question speaks of what may have left too": Mutation(
        control.Control,
        "_verdict",
        "if not _was_not_taken(entry) or outcome.code is None:",
        "if outcome.code is None:",
        _PAID_TWICE,
    ),
    "whoever is refused whatever it asks blames the row": Mutation(
        control.Control,
        "_of_refused_alike",
        "return last.verdict",
        "return Verdict.NO_SUCH_ORDER",
        ("blamed the row",),
    ),
    "the same refusal for every row stops nothing": Mutation(
        stopping.Watch,
        "attempt",
        "_reached(self._refused, self.rules.same_refusal_in_a_row)",
        "False",
        ("burnt",),
    ),
    "a refusal is not looked at once more": Mutation(
        reconcile.Reconciliation,
        "_all_lists",
        '"refused": ledger.recent_refusals,',
        '"refused": None,',
        ("called failed",),
    ),
    "a person decides against the platform": Mutation(
        command,
        "_compare",
        "if decision in _NO_MONEY and not none_moved:",
        "if False:",
        ("called failed", "called unsent"),
    ),
    "a person decides while an attempt is on its way": Mutation(
        changes,
        "_refuse",
        "not all(entry.age >= window for window in windows)",
        "False",
        ("called failed", "called unsent"),
    ),
    "a batch counts an item twice": Mutation(
        tally.Tally, "add", "self.counts[key] += 1", "self.counts[key] += 2", ("report",)
    ),
    "a batch forgets those that wait": Mutation(
        scheduler.Scheduler, "put_off", "heapq.heappush(self._waiting, ", "_ = (self._waiting, ", ("report", "stuck")
    ),
    "a change counts as told before its handler has run": Mutation(
        delivery.Delivery,
        "_tell",
        "await self.handler(lent.change)",
        "self._handled.append(lent.number)\n            self._wake.set()\n            await self.handler(lent.change)",
        ("never told",),
    ),
    "what a dead process was lent is lent to nobody": Mutation(
        memory_outbox.MemoryOutbox, "take", "timedelta(seconds=seconds)", "timedelta(days=99)", ("never told",)
    ),
    "what no handler takes lets later changes pass": Mutation(
        memory_outbox,
        "_firsts",
        "setdefault(one.trade_no, one)",
        "setdefault(str(one.number), one)",
        ("told in another order",),
    ),
    "a callback is answered before it is stored": Mutation(
        receiver.Receiver,
        "_learn",
        "found = await self._find(callback, decide, deadline)",
        "later = lambda: asyncio.ensure_future(self._find(callback, decide, deadline))\n"
        "        asyncio.get_running_loop().call_later(1, later)\n"
        "        return _OK",
        ("not heard",),
    ),
}
"""Each by what it does."""
