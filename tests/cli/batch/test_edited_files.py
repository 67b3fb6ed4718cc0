"""A file that is edited after its run was killed: whatever was edited, no beneficiary is paid twice."""

import csv
import io
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.raw_sql import ask
from tests.support.terminal import Terminal, payout, until

ROWS = 12
Rows = list[dict[str, str]]


def each(**changes: Callable[[dict[str, str]], str]) -> Callable[[Rows], Rows]:
    """Change fields of every row."""
    return lambda rows: [one | {name: change(one) for name, change in changes.items()} for one in rows]


def one_row(at: int, **changes: str) -> Callable[[Rows], Rows]:
    """Change fields of one row."""
    return lambda rows: [one | changes if number == at else one for number, one in enumerate(rows)]


def without(name: str) -> Callable[[Rows], Rows]:
    """Take a column out."""
    return lambda rows: [{key: value for key, value in one.items() if key != name} for one in rows]


# How the rows are numbered in the first run, if they are, and what is edited then. Account and amount stay.
EDITS: dict[str, tuple[Callable[[int], str] | None, Callable[[Rows], Rows]]] = {
    "one remark": (None, one_row(0, remark="mended")),
    "all remarks": (None, each(remark=lambda one: one["remark"] + " July")),
    "no remarks": (None, without("remark")),
    "empty remarks": (None, each(remark=lambda _: "")),
    "all names' case": (None, each(name=lambda one: one["name"].upper())),
    "blanks in names": (None, each(name=lambda one: one["name"].replace(" ", "  "))),
    "accounts lose zeros": (None, each(bank_number=lambda one: one["bank_number"].lstrip("0"))),
    "accounts get zeros": (None, each(bank_number=lambda one: "0" + one["bank_number"])),
    "amounts get decimals": (None, each(amount=lambda one: one["amount"] + ".00")),
    "one amount gets decimals": (None, one_row(1, amount="101.0")),
    "a row more": (None, lambda rows: [*rows, payout(ROWS)]),
    "a row fewer": (None, lambda rows: rows[:-1]),
    "the first row is taken out": (None, lambda rows: rows[1:]),
    "another order": (None, lambda rows: rows[::-1]),
    "numbers are filled in": (None, each(trade_no=lambda one: f"P-{one['bank_number']}")),
    "numbers are taken out": (lambda number: f"P-{number}", without("trade_no")),
    "other numbers": (lambda number: f"P-{number}", each(trade_no=lambda one: f"Q-{one['bank_number']}")),
    "numbers lose zeros": (lambda number: f"{number + 1:06d}", each(trade_no=lambda one: one["trade_no"].lstrip("0"))),
    "numbers in full": (lambda number: f"{number + 1}E5", each(trade_no=lambda one: one["trade_no"][:-2] + "00000")),
    "numbers in capitals": (lambda number: f"inv-{number}", each(trade_no=lambda one: one["trade_no"].upper())),
    "everything but the payment": (
        None,
        each(
            name=lambda _: "A. Rao", mobile=lambda _: "9234567890", email=lambda _: "x@gmail.com", remark=lambda _: ""
        ),
    ),
}
# What says the same in another way: the numbers follow from the content, and the run goes on.
REWRITTEN: dict[str, Callable[[Rows], str]] = {
    "as it was": lambda rows: text_of(list(rows)),
    "semicolons": lambda rows: text_of(rows, delimiter=";"),
    "tabs": lambda rows: text_of(rows, delimiter="\t"),
    "quotes": lambda rows: text_of(rows, quoting=csv.QUOTE_ALL),
    "other line ends": lambda rows: text_of(rows, lineterminator="\n"),
    "a byte order mark": lambda rows: "\ufeff" + text_of(rows),
    "another order of columns": lambda rows: text_of([dict(reversed(one.items())) for one in rows]),
    "other names of columns": lambda rows: text_of(rows).replace("bank_number", "Bank Number"),
    "a column that is no field": lambda rows: text_of([one | {"team": "ops"} for one in rows]),
    "blanks around cells": lambda rows: text_of([{key: f" {value} " for key, value in one.items()} for one in rows]),
}


def text_of(rows: Rows, **dialect: object) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], **dialect)  # type: ignore[arg-type]  # passed on to csv
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def save(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def paid(sandbox: Sandbox) -> Counter[str]:
    """How often each account was paid, as a bank reads an account."""
    orders = sandbox.books.orders
    return Counter(orders[one.trade_no].payee.bank_number.lstrip("0") for one in sandbox.books.bookings)


async def killed_half_way(terminal: Terminal, sandbox: Sandbox, rows: Rows) -> int:
    """Pay a file and kill the run in the middle; how many rows it had claimed."""
    save(terminal.folder / "payouts.csv", text_of(rows))
    run = terminal.begin("batch", "payouts.csv", "--rate", "2", "--concurrency", "3")
    await until(sandbox, 2)
    run.signal(signal.SIGKILL)
    await run.ended()
    ((claimed,),) = ask(f"sqlite:///{terminal.folder / 'payouts.db'}", "SELECT count(*) FROM payout")
    assert 2 <= claimed < ROWS
    return int(claimed)


@pytest.mark.parametrize(("numbered", "edit"), EDITS.values(), ids=EDITS)
async def test_an_edited_file_pays_nobody_twice(
    terminal: Terminal, sandbox: Sandbox, numbered: Callable[[int], str] | None, edit: Callable[[Rows], Rows]
) -> None:
    """It is refused, with each row that was claimed before; without those rows the rest is paid."""
    rows = [payout(number) | ({"trade_no": numbered(number)} if numbered else {}) for number in range(ROWS)]
    claimed = await killed_half_way(terminal, sandbox, rows)
    edited = edit(rows)
    save(terminal.folder / "payouts.csv", text_of(edited))

    refused = await terminal.run("batch", "payouts.csv", "--yes")

    assert refused.code == 3, refused.err
    named = refused.err.count("[PAID_BEFORE]")
    assert claimed - 1 <= named <= claimed  # a row that was taken out is not in question
    assert "Nothing was sent." in refused.err
    assert "--skip-paid" in refused.err
    assert len(sandbox.books.bookings) <= claimed

    rest = await terminal.run("batch", "payouts.csv", "--yes", "--skip-paid", "--json")
    assert rest.code == 0, rest.err
    # What the killed run had claimed and perhaps not sent is asked about, and sent under its first number.
    assert rest.summary["left_out"] == {"rows": named, "statuses": {"processing": named}}
    assert sum(one["rows"] for one in rest.summary["statuses"].values()) == len(edited) - named
    everybody = {one["bank_number"].lstrip("0") for one in (*rows, *edited)}
    missing = everybody - set(paid(sandbox))
    assert len(missing) <= ROWS - named
    assert {one["bank_number"].lstrip("0") for one in edited}.isdisjoint(missing)
    assert set(paid(sandbox).values()) == {1}


@pytest.mark.parametrize("rewrite", REWRITTEN.values(), ids=REWRITTEN)
async def test_a_file_that_says_the_same_in_another_way_goes_on(
    terminal: Terminal, sandbox: Sandbox, rewrite: Callable[[Rows], str]
) -> None:
    """Each row once, under its first number, and exit code 0."""
    rows = [payout(number) for number in range(ROWS)]
    await killed_half_way(terminal, sandbox, rows)
    save(terminal.folder / "payouts.csv", rewrite(rows))

    done = await terminal.run("batch", "payouts.csv", "--yes", "--json")

    assert done.code == 0, done.err
    assert len(paid(sandbox)) == ROWS
    assert set(paid(sandbox).values()) == {1}


async def test_an_edited_file_under_another_name_is_refused_all_the_same(terminal: Terminal, sandbox: Sandbox) -> None:
    """The run never ended, whatever the file is called; also in one row of many."""
    rows = [payout(number) for number in range(ROWS)]
    await killed_half_way(terminal, sandbox, rows)
    save(terminal.folder / "other.csv", text_of([*(payout(number) for number in range(100, 120)), rows[0]]))

    refused = await terminal.run("batch", "other.csv")

    assert refused.code == 3
    assert "other.csv:22: row 21: the same amount to the same account is in the ledger as" in refused.err
    assert "from payouts.csv; that run did not come to its end [PAID_BEFORE]; its remark: 'invoice 0'" in refused.err
