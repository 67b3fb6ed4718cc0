"""Every line of the report, in the order in which it is read."""

from collections.abc import Callable, Sequence

from paypro_async.cli.doctor import kept, passage, replies, written
from paypro_async.cli.doctor.evidence import Evidence
from paypro_async.cli.doctor.finding import Finding

__all__ = ["CHECKS", "examine"]

CHECKS: Sequence[Callable[[Evidence], Finding | None]] = (
    written.variables,
    written.settings,
    written.secret,
    written.merchant,
    written.address,
    written.environment,
    kept.ledger,
    kept.disk,
    kept.readers,
    kept.mark,
    kept.server,
    kept.pooler,
    passage.proxy,
    passage.tls,
    passage.clock,
    passage.hops,
    replies.access,
    replies.unknown_order,
    replies.balance,
)
"""What is looked at; a check that has nothing to say of this set-up gives no line."""


def examine(evidence: Evidence) -> list[Finding]:
    """The findings, in the order in which they are read."""
    return [found for check in CHECKS if (found := check(evidence)) is not None]
