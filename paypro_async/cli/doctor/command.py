"""``paypro doctor``: a line for each thing that must be right before anything is paid."""

import asyncio
from collections.abc import Sequence
from typing import Any

import click
from attrs import asdict

from paypro_async.cli.doctor.evidence import gather
from paypro_async.cli.doctor.finding import Finding
from paypro_async.cli.doctor.report import examine
from paypro_async.cli.exits import Exit
from paypro_async.cli.options import account_options, ledger_option
from paypro_async.cli.output import hanging, print_json, readable

__all__ = ["doctor"]


@click.command(short_help="Look whether all is ready to pay. Moves no money.")
@ledger_option
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool, **given: Any) -> int:
    """Look whether this machine, the ledger and the account are ready to pay. It moves no money and writes nothing.

    It asks for the balance, with the secret in both positions, and about a number that was never used: what the
    platform answers then is what it says of an order that does not exist, and which setting follows from that. It looks
    at the way there (proxy, TLS, clock, other proxies), at the ledger and at the environment. Whatever is broken, it
    ends within a minute. Exit code 0 only if there is nothing to mend; warnings (!) are to be read once.
    """
    findings = examine(asyncio.run(gather(given)))
    ok = all(finding.ok for finding in findings)
    if as_json:
        checks = [asdict(finding) | {"ok": finding.ok} for finding in findings]
        print_json({"ok": ok, "checks": checks, "message": _summary(findings)})
    else:
        _print(findings)
    return Exit.OK if ok else Exit.UNEXPECTED


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark = {"ok": "ok", "warning": " !", "problem": "!!"}[finding.level]
        click.echo(hanging(f"{mark}  {finding.name.replace('_', ' '):<14} ", readable(finding.found)))
        if finding.advice is not None:
            click.echo(hanging(f"{'':<19}-> ", readable(finding.advice)))
    click.echo(f"\n{_summary(findings)}")


def _summary(findings: Sequence[Finding]) -> str:
    count = sum(not finding.ok for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    return (f"{count} to mend." if count else "All is ready.") + (f" {warnings} to read." if warnings else "")
