"""``paypro report``: what became of a file or a batch, as one page of HTML. It sends nothing, and asks nobody."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from paypro_async.bulk import PayoutFileError, ReadingOptions
from paypro_async.bulk.plan_file import plan_at
from paypro_async.cli.batch.options import file_options
from paypro_async.cli.batch.refusal import refuse
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, merchant_option, open_to, the_merchant
from paypro_async.cli.options import ledger_files, ledger_option
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.cli.places import new_file
from paypro_async.cli.report.subject import Subject, of_batch, of_file, region_of
from paypro_async.cli.streams import failed_with, raw_text
from paypro_async.ledger.admin.batch_rows import find_batch
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.report.html import About, HtmlReport

__all__ = ["report"]

_MADE_HERE = '<meta name="generator" content="paypro-async">'
_HEAD = 4096
_BESIDE = "- is standard output.  [default: beside FILE, as NAME.report.html]"
_UNMASKED = "With names and account numbers in full; all who have the report can read them."


@click.command(short_help="Write what became of a file as one HTML page.")
@click.argument("what", required=False, metavar="[FILE|PLAN|BATCH]")
@click.option("-o", "--output", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), help=_BESIDE)
@click.option("--batch", metavar="ID", help="Report on this batch of the ledger.")
@file_options
@click.option("--unmasked", is_flag=True, help=_UNMASKED)
@click.option("--force", is_flag=True, help="Replace the output if it is there. An older report beside FILE always is.")
@ledger_option
@merchant_option
@json_option
def report(what: str | None, ledger: str | None, merchant: str | None, **options: Any) -> int:
    """Report what became of a FILE, a PLAN or a BATCH, as one page of HTML that needs no network.

    Without an argument it is about the latest batch of the ledger. The report tells what the ledger knows: it sends
    nothing, asks nobody, and works while others pay. Names and account numbers are masked.
    """
    if what is not None and options["batch"] is not None:
        raise click.UsageError("Give FILE, PLAN or BATCH, or --batch: one report is about one of them.")
    if options["as_json"] and str(options["output"]) == "-":
        raise click.UsageError("The report and its numbers as JSON cannot both be standard output; name a file.")
    path = Path(what) if what is not None and Path(what).is_file() else None
    batch = options.pop("batch") or what
    try:
        return asyncio.run(_report(path, batch, ledger, merchant, **options))
    except PayoutFileError as error:
        return refuse(readable(path), error.problems, as_json=options["as_json"])


async def _report(
    path: Path | None,
    batch: str | None,
    url: str | None,
    merchant: str | None,
    *,
    output: Path | None,
    run: str | None,
    file_complete: bool,  # noqa: ARG001  whether it was whole is no concern of a report
    columns: dict[str, str],
    sheet: str | None,
    unmasked: bool,
    force: bool,
    as_json: bool,
) -> int:
    reading = ReadingOptions(run=run, columns=columns, sheet=sheet)
    async with open_to(url, "read") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        async with _subject(ledger, merchant_no, path, batch, reading) as subject:
            place = output or subject.beside
            taken = ledger_files(url) | subject.inputs
            with _place(place, taken, replace=force or (output is None and _is_ours(place))) as out:
                page = HtmlReport(out, subject.about, unmasked=unmasked)
                async for row in subject.rows:
                    page.add(row)
                    if failed_with(out):
                        break  # No program reads on.
                page.end()
    if as_json:
        print_json({"file": str(place), "payouts": page.count, "message": page.headline, "unmasked": unmasked})
    elif str(place) != "-":
        say(f"{page.headline}\nReport: {readable(place)}")
    if unmasked:
        note("The report shows names and account numbers in full. Keep it where only those can read it who may.")
    return Exit.OK


@asynccontextmanager
async def _subject(
    ledger: SqlLedger, merchant_no: str, path: Path | None, batch: str | None, reading: ReadingOptions
) -> AsyncIterator[Subject]:
    about = await _about(ledger, merchant_no)
    if path is not None:
        plan = plan_at(path)
        if plan is None or plan.path.is_file():
            with of_file(ledger, path, plan, about=about, reading=reading) as subject:
                yield subject
            return
        batch = plan.batch_id
    found = await find_batch(ledger, merchant_no, batch)
    if found is None:
        raise click.UsageError(_nothing(ledger, batch))
    yield of_batch(ledger, found, about=about)


async def _about(ledger: SqlLedger, merchant_no: str) -> About:
    account = next((one for one in await ledger.merchants() if one.merchant_no == merchant_no), None)
    region = region_of(account.region if account else None)
    return About(
        title="",
        merchant_no=merchant_no or None,
        environment=account.environment if account else None,
        region=region.name,
        zone=region.zone,
        ledger=ledger.name,
    )


def _nothing(ledger: SqlLedger, batch: str | None) -> str:
    if batch is None:
        return f"The ledger {ledger.name} holds no batch yet. Give the FILE, or --ledger."
    return (
        f"{readable(batch)} is no file here, and no batch of the ledger {ledger.name}; 'paypro ledger show' lists the "
        "latest ones."
    )


@contextmanager
def _place(path: Path, taken: frozenset[Path], *, replace: bool) -> Iterator[TextIO]:
    if str(path) == "-":
        with raw_text(sys.stdout) as text:
            yield text
        return
    with new_file(path, taken, replace=replace) as part, part.open("w", encoding="utf-8", newline="\n") as text:
        yield text


def _is_ours(path: Path) -> bool:
    """Whether it is an older report, which a new one takes the place of."""
    try:
        with path.open(encoding="utf-8", errors="replace") as text:
            # The policy and the title stand before the style, which is longer.
            return _MADE_HERE in text.read(_HEAD)
    except OSError:
        return False
