"""``paypro doctor``: a line for each thing that must be right before anything is paid."""

import asyncio
from collections.abc import Sequence
from typing import Any

import click
from attrs import asdict

from paypro_async.cli.doctor.evidence import gather
from paypro_async.cli.doctor.findings import Finding, examine
from paypro_async.cli.exits import Exit, explain
from paypro_async.cli.options import account_options, client_settings, ledger_option
from paypro_async.cli.output import print_json, readable
from paypro_async.errors import ConfigurationError

__all__ = ["doctor"]


@click.command(short_help="Look whether all is ready to pay. Moves no money.")
@ledger_option
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool, **given: Any) -> int:
    """Look whether this machine, the ledger and the account are ready to pay. It moves no money and writes nothing.

    It asks for the balance, and about a number that was never used: what the platform answers then is what it says of
    an order that does not exist, and which setting follows from that. Exit code 0 only if there is nothing to do.
    """
    try:
        findings = examine(asyncio.run(gather(client_settings(**given))))
    except ConfigurationError as error:
        advice = explain(error).removeprefix("Error: ")
        findings = [Finding(name="settings", found="Nothing can be asked with these settings.", advice=advice)]
    ok = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": ok, "checks": [asdict(finding) | {"ok": finding.ok} for finding in findings]})
    else:
        _print(findings)
    return Exit.OK if ok else Exit.UNEXPECTED


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark = "ok" if finding.ok else "!!"
        click.echo(f"{mark}  {finding.name.replace('_', ' '):<14} {readable(finding.found)}")
        if finding.advice is not None:
            click.echo(f"{'':<19}-> {readable(finding.advice)}")
    count = sum(not finding.ok for finding in findings)
    click.echo(f"\n{count} to look at." if count else "\nAll is ready.")
