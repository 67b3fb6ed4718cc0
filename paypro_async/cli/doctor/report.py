"""Every line of the report, in the order in which it is read."""

from collections.abc import Callable, Sequence

from paypro_async.cli.doctor import ledger_checks, network_checks, platform_checks, settings_checks
from paypro_async.cli.doctor.evidence import Evidence
from paypro_async.cli.doctor.finding import Finding

__all__ = ["CHECKS", "examine"]

CHECKS: Sequence[Callable[[Evidence], Finding | None]] = (
    settings_checks.variables,
    settings_checks.settings,
    settings_checks.secret,
    settings_checks.merchant,
    settings_checks.address,
    settings_checks.environment,
    ledger_checks.ledger,
    ledger_checks.disk,
    ledger_checks.readers,
    ledger_checks.mark,
    ledger_checks.server,
    ledger_checks.pooler,
    network_checks.proxy,
    network_checks.tls,
    network_checks.clock,
    network_checks.hops,
    platform_checks.access,
    platform_checks.unknown_order,
    platform_checks.balance,
)
"""What is looked at; a check that has nothing to say of this set-up gives no line."""


def examine(evidence: Evidence) -> list[Finding]:
    """The findings, in the order in which they are read."""
    return [found for check in CHECKS if (found := check(evidence)) is not None]
