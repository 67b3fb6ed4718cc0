"""Defects planted into the product, each the removal of one thing that keeps a payout from being paid twice or lost.

A mutation is a change of the product's own text, so that it cannot outlive the line that it breaks.
"""

import asyncio
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from attrs import frozen

from paypro_async._core import lifecycle, outcome, retry, tally
from paypro_async._core import transitions as learning
from paypro_async._core.lifecycle import first_entry
from paypro_async.batch import scheduler
from paypro_async.engine import payout as engine
from paypro_async.engine import reconcile, recording
from paypro_async.engine import single_flight as flights
from paypro_async.ledger import memory


@frozen
class Mutation:
    """In *function* the text *old* becomes *new*.

    Args:
        owner: The module or the class that holds the function.
        name: The function's name.
        finds: The kinds of violation that it leads to; the first of them that the simulation meets is its finding.
    """

    owner: Any
    name: str
    old: str
    new: str
    finds: tuple[str, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The product with this defect, wherever it was imported to."""
        original = getattr(self.owner, self.name)
        source = textwrap.dedent(inspect.getsource(original))
        assert source.count(self.old) == 1, f"{self.name} has changed; the mutation must change with it"
        made: dict[str, Any] = {}
        scope = {**vars(sys.modules[original.__module__]), "asyncio": asyncio, "first_entry": first_entry}
        exec(compile(source.replace(self.old, self.new), f"<mutated {self.name}>", "exec"), scope, made)  # noqa: S102  the product's own text
        with _everywhere(self.owner, self.name, original, made[self.name]):
            yield


@contextmanager
def _everywhere(owner: Any, name: str, original: Any, mutated: Any) -> Iterator[None]:
    holders = [owner]
    if inspect.ismodule(owner):
        package = [module for path, module in sorted(sys.modules.items()) if path.startswith("paypro_async")]
        holders = [module for module in package if vars(module).get(name) is original]
    patches = [mock.patch.object(holder, name, mutated) for holder in holders]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


_PAID_TWICE = (
    "announced twice",
    "sent twice",
    "booked twice",
    "sent though not announced",
    "booked though not announced",
    "called unsent",
)

_PAY = "outcome, exchange = await self.session.platform.pay(request, entry, timeout=self._patience(flight))"

MUTATIONS = {
    "an unknown attempt is sent again at once": Mutation(
        retry,
        "_ask",
        "    if at.refused:",
        "    if at.last is Verdict.UNKNOWN and at.sends < at.max_attempts:\n"
        "        return Step(Action.SEND)\n"
        "    if at.refused:",
        _PAID_TWICE,
    ),
    "the intent is stored behind the send": Mutation(
        recording.Recording,
        "claim",
        "await self._within(timeout, self.ledger.claim(intent))",
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
        engine.Engine, "begin", "began if written.done else None", "began", _PAID_TWICE
    ),
    "who loses the announcement sends anyway": Mutation(
        engine.Engine, "_announce", "if not written.done:", "if False:", _PAID_TWICE
    ),
    "the send deadline is not handed on": Mutation(
        engine.Engine, "_exchange", "announced_at + self.session.times.send_within", 'float("inf")', _PAID_TWICE
    ),
    "the settle window is ignored": Mutation(
        retry.RetryPolicy, "settled", "age >= window - _ROUNDING", "True", _PAID_TWICE
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
        learning, "after_absence", "attempt=entry.attempt,", "attempt=None,", (*_PAID_TWICE, "called failed")
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
        learning, "after_absence", " or not (resend and entry.resend)", "", ("sent again unasked",)
    ),
    "maybe sent is not sent": Mutation(
        outcome,
        "_before_the_envelope",
        "exchange.phase is Phase.NOT_SENT",
        "exchange.phase is not Phase.ANSWERED",
        ("called unsent",),
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
        outcome, "_is_foreign", "outcome.amount != amount", "False", ("called succeeded",)
    ),
    "a new attempt is as old as the one before": Mutation(
        lifecycle, "changed", "restarts = begins or change.cause is Cause.RESTORE", "restarts = False", _PAID_TWICE
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
        "    duplicate =",
        "    if cause is Cause.CALLBACK:\n        return None\n    duplicate =",
        ("not heard",),
    ),
    "a claim replaces what was there": Mutation(
        memory.MemoryLedger, "claim", "key in self._entries", "False", ("claimed twice", *_PAID_TWICE)
    ),
    "calls that join are not compared": Mutation(
        flights.SingleFlight, "_join", "call.fingerprint != intent.fingerprint", "False", ("told about another payout",)
    ),
    "a batch counts an item twice": Mutation(
        tally.Tally, "add", "self.counts[key] += 1", "self.counts[key] += 2", ("report",)
    ),
    "a batch forgets those that wait": Mutation(
        scheduler.Scheduler, "put_off", "heapq.heappush(self._waiting, ", "_ = (self._waiting, ", ("report", "stuck")
    ),
}
"""Each by what it does."""
