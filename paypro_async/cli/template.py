"""``paypro template``: an empty file of payouts to fill in."""

from pathlib import Path

import click

from paypro_async.bulk.template import TemplateKind, write_template
from paypro_async.cli.exits import Exit
from paypro_async.cli.output import readable, say
from paypro_async.cli.places import new_file

__all__ = ["template"]

_KINDS: dict[str, TemplateKind] = {".csv": "csv", ".xlsx": "xlsx"}


@click.command(short_help="Write an empty file of payouts to fill in.")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def template(output: Path, force: bool) -> int:
    """Write OUTPUT, a .xlsx or .csv file with the columns of a payout and a sample row.

    Its cells are text, so that a spreadsheet keeps account numbers as they are. Write your payouts over the sample row,
    which is refused if it is paid as it is. A workbook has a second sheet with notes.
    """
    kind = _KINDS.get(output.suffix.lower())
    if kind is None:
        raise click.UsageError(f"{readable(output)} must end with .xlsx or .csv. Nothing was written.")
    with new_file(output, frozenset(), replace=force) as part:
        write_template(part, kind=kind, replace=True)
    say(
        f"{readable(output)} is ready to fill in. Write your payouts over the sample row, then run: "
        f"paypro plan {readable(output)}"
    )
    return Exit.OK
