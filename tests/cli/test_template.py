"""From a template to payouts, as a person in finance goes: ``paypro template``, fill it in, plan it, pay it."""

import json

from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, write_file
from tests.support.workbooks import sheet, workbook


async def test_a_template_is_written_filled_in_and_paid(terminal: Terminal, sandbox: Sandbox) -> None:
    """The sample row pays nobody; written over, the file is paid once."""
    made = await terminal.run("template", "nov.csv")
    assert (made.code, "paypro plan nov.csv" in made.out) == (0, True)
    refused = await terminal.run("batch", "nov.csv")
    assert (refused.code, "SAMPLE_ROW" in refused.err) == (3, True)
    assert not sandbox.books.bookings

    path = terminal.folder / "nov.csv"
    header = path.read_text(encoding="utf-8-sig").splitlines()[0]
    cells = payout(1) | {"trade_no": ""}
    path.write_text(f"{header}\r\n{','.join(cells[name] for name in header.split(','))}\r\n", encoding="utf-8-sig")
    assert (await terminal.run("plan", "nov.csv")).code == 0
    paid = await terminal.run("apply", "nov.csv.plan.json", "--json")
    assert (paid.code, paid.summary["sent_now"]) == (0, 1), paid.err
    assert len(sandbox.books.bookings) == 1


async def test_a_template_that_is_there_is_kept(terminal: Terminal) -> None:
    """Unless it is said; and the name says the kind."""
    path = terminal.folder / "nov.xlsx"
    assert (await terminal.run("template", "nov.xlsx")).code == 0
    path.write_bytes(b"mine")
    kept = await terminal.run("template", "nov.xlsx")
    assert (kept.code, path.read_bytes()) == (2, b"mine")
    assert "--force" in kept.err
    assert (await terminal.run("template", "nov.xlsx", "--force")).code == 0
    assert path.read_bytes().startswith(b"PK")
    other = await terminal.run("template", "nov.ods")
    assert (other.code, ".xlsx or .csv" in other.err) == (2, True)


def rows(count: int) -> list[dict[str, str]]:
    return [payout(number) for number in range(count)]


async def test_every_kind_of_file_is_paid_once(terminal: Terminal, sandbox: Sandbox) -> None:
    """A workbook, JSON lines and CSV of the same payouts are the same file, so what one has paid the others do not."""
    payouts = rows(3)
    book = workbook(sheet([*payouts[0]], *(list(one.values()) for one in payouts)))
    (terminal.folder / "nov.xlsx").write_bytes(book)
    (terminal.folder / "nov.jsonl").write_text("".join(json.dumps(one) + "\n" for one in payouts))
    terminal.file(3, "nov.csv")
    first = await terminal.run("batch", "nov.xlsx", "--json")
    assert (first.code, first.summary["sent_now"]) == (0, 3), first.err
    for name in ("nov.jsonl", "nov.csv"):
        again = await terminal.run("batch", name, "--json")
        assert (again.code, again.summary["sent_now"]) == (0, 0), again.err
    assert len(sandbox.books.bookings) == 3


async def test_columns_and_a_sheet_are_named_on_the_command_line(terminal: Terminal, sandbox: Sandbox) -> None:
    """Also when a plan is made, which keeps them."""
    names = ["Konto" if name == "bank_number" else name for name in payout(0)]
    found = [sheet(names, *(list(one.values()) for one in rows(count))) for count in (1, 2)]
    (terminal.folder / "nov.xlsx").write_bytes(workbook(*found, names=["June", "July"]))
    unclear = await terminal.run("batch", "nov.xlsx", "--map", "Konto=bank_number")
    assert (unclear.code, "'June', 'July'" in unclear.err) == (3, True)
    missing = await terminal.run("batch", "nov.xlsx", "--sheet", "July")
    assert (missing.code, "'Konto'" in missing.err) == (3, True)
    wrong = await terminal.run("batch", "nov.xlsx", "--map", "Konto")
    assert (wrong.code, "COLUMN=FIELD" in wrong.err) == (2, True)
    planned = await terminal.run("plan", "nov.xlsx", "--map", "Konto=bank_number", "--sheet", "July")
    assert planned.code == 0, planned.err
    paid = await terminal.run("apply", "nov.xlsx.plan.json", "--json")
    assert (paid.code, paid.summary["sent_now"]) == (0, 2), paid.err
    assert len(sandbox.books.bookings) == 2


async def test_thousands_of_equal_problems_are_a_few_lines(terminal: Terminal, sandbox: Sandbox) -> None:
    """For people; nothing is sent."""
    write_file(terminal.folder / "wrong.csv", [payout(at, mobile="12") for at in range(3_000)])
    done = await terminal.run("batch", "wrong.csv")
    assert done.code == 3
    assert len(done.err.splitlines()) < 30
    assert "3,000 problems" in done.err
    assert "more rows with MOBILE_FORMAT (mobile)" in done.err
    assert not sandbox.books.bookings
