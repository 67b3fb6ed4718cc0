"""``paypro ledger`` show, history, export and check."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import csv
import json
import stat
import tracemalloc
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from paypro_async.ledger.admin.check import Finding
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.commands import PERSONAL, Commands
from tests.support.intents import ACCOUNT, MERCHANT, OTHER_MERCHANT, intent
from tests.support.raw_sql import against_all_guards, fill, run

ON_A_FILE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
READING = [("show",), ("show", "T1"), ("show", "--state", "failed"), ("history", "T1"), ("check",), ("export", "-")]


async def test_the_ledger_at_a_glance(used: str, ledger_command: Commands):
    """Counts and exact sums by state, what needs a look, batches, schema."""
    found = await ledger_command.json("show", "--settle-after", "0")
    assert [(one["state"], one["payouts"], one["amount"]) for one in found["states"]] == [
        ("succeeded", 1, "100.10"),
        ("failed", 1, "300.10"),
        ("unknown", 3, "901.20"),
        ("review", 1, "200.10"),
    ]
    assert found["schema_version"] == 7
    assert found["merchants"] == [{"merchant_no": MERCHANT, "environment": ACCOUNT.environment}]
    assert (found["asks_first_since"], found["suspicion"]) == (None, None)
    assert [one["trade_no"] for one in found["attention"]["first"]] == ["T0", "T2", "T4", "T5"]
    (batch,) = found["batches"]
    assert (batch["batch_id"], batch["total"], batch["claimed"], batch["final"], batch["ended_at"]) == (
        ("B1", 3, 2, 1, None)
    )
    shown = (await ledger_command("show")).out
    for words in ("901.20", "money may have moved", "Look into these 1", "salaries.csv", "schema version 7"):
        assert words in shown


async def test_all_of_a_payout(used: str, ledger_command: Commands):
    """Every column but the personal ones, which are masked, in the platform's words too; no order to the terminal."""
    (found,) = (await ledger_command.json("show", "T1"))["payouts"]
    assert (found["state"], found["attempt"], found["code"], found["platform_trade_no"], found["utr"]) == (
        ("succeeded", 1, "0000", "P-1", "U-1")
    )
    assert (found["batch_id"], found["position"], found["amount"]) == ("B1", 1, "100.10")
    assert found["created_at"].endswith("+00:00")
    assert found["beneficiary"]["bank_number"] == "••••8292"
    assert found["message"].endswith("paid to A••••, ••••8292")
    shown = (await ledger_command("show", "T1", "T3")).out
    assert "\x1b" not in shown
    assert "�[31m[bold]paid to A••••" in shown
    first, second = csv.DictReader(shown.splitlines(), delimiter="\t")
    assert (first["trade_no"], first["state"], first["amount"], first["utr"]) == ("T1", "succeeded", "100.10", "U-1")
    assert (second["trade_no"], second["state"], second["name"]) == ("T3", "failed", "A••••")


async def test_a_number_that_is_not_there(used: str, ledger_command: Commands):
    """Exit code 1, and what is there is shown all the same."""
    done = await ledger_command("show", "T1", "T9", code=1)
    assert "\tT1\tsucceeded" in done.out
    assert "holds no payout T9" in done.err
    assert (await ledger_command.json("show", "T9", code=1))["missing"] == ["T9"]
    assert "holds no payout T9" in (await ledger_command("history", "T9", code=1)).err


async def test_a_list_comes_in_pages(used: str, ledger_command: Commands):
    """By state, in the words of a result file, or by batch; a page begins behind the last one."""
    first = await ledger_command.json("show", "--state", "unknown", "--limit", "2")
    rest = await ledger_command.json("show", "--state", "unknown", "--limit", "2", "--after", first["after"])
    assert [one["trade_no"] for one in first["payouts"] + rest["payouts"]] == ["T0", "T4", "T5"]
    assert rest["after"] is None
    assert [one["trade_no"] for one in (await ledger_command.json("show", "--batch", "B1"))["payouts"]] == ["T0", "T1"]
    done = await ledger_command("show", "--state", "failed", "--state", "review", "--limit", "1")
    assert "T2" in done.out
    assert "--after T2" in done.err


async def test_the_history_of_a_payout(used: str, ledger_command: Commands):
    """Each step with its time and cause, and who decided why."""
    await ledger_command(
        "decide", "T2", "paid", "--by", "Meera", "--note", "seen [in] the dashboard", "--without-asking"
    )
    steps = (await ledger_command.json("history", "T2"))["steps"]
    assert [(one["from"], one["to"], one["cause"], one["by"], one["note"]) for one in steps] == [
        (None, "unknown", "attempt", None, None),
        ("unknown", "review", "query", None, None),
        ("review", "succeeded", "person", "Meera", "without asking the platform: seen [in] the dashboard"),
    ]
    assert "seen [in] the dashboard" in (await ledger_command("history", "T2")).out


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_an_export_has_every_payout_once(used: str, ledger_command: Commands, tmp_path: Path, kind: str):
    """Masked, and private; in both formats the same; to standard output too."""
    file = tmp_path / f"all.{kind}"
    assert "6 payouts" in (await ledger_command("export", str(file))).err
    text = file.read_text(encoding="utf-8")
    assert (await ledger_command("export", "-", "--format", kind)).out == text.replace("\r\n", "\n") or kind == "csv"
    lines = text.splitlines()
    rows = list(csv.DictReader(lines)) if kind == "csv" else [json.loads(line) for line in lines]
    assert [row["trade_no"] for row in rows] == [f"T{number}" for number in range(6)]
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal("1501.50")
    assert {row["bank_number"] for row in rows} == {"••••8292"}
    assert not [value for value in PERSONAL if value in text]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


async def test_an_export_of_some(used: str, ledger_command: Commands, tmp_path: Path):
    """By state, batch and time."""
    for words, numbers in (
        (["--state", "failed"], ["T3"]),
        (["--batch", "B1"], ["T0", "T1"]),
        (["--since", "2020-01-01", "--state", "not_sent"], []),
        (["--since", "2999-01-01"], []),
        (["--since", "2020-01-01T00:00+05:30"], ["T0", "T1", "T2", "T3", "T4", "T5"]),
    ):
        out = (await ledger_command("export", "-", "--format", "jsonl", *words)).out
        assert [json.loads(line)["trade_no"] for line in out.splitlines()] == numbers


@ON_A_FILE
async def test_an_export_destroys_nothing(used: str, ledger_command: Commands, tmp_path: Path, path: Path):
    """What is there is replaced only with --force, and the ledger not even then."""
    file = tmp_path / "all.csv"
    file.write_text("mine")
    assert "is there already" in (await ledger_command("export", str(file), code=2)).err
    assert file.read_text() == "mine"
    await ledger_command("export", str(file), "--force")
    assert file.read_text().startswith("merchant_no,")
    assert await ledger_command.json("export", str(file), "--force") == {"file": str(file), "payouts": 6}
    assert "--format jsonl" in (await ledger_command("export", "-", "--json", code=2)).err
    for taken in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-mark")):
        assert "belongs to the ledger" in (await ledger_command("export", str(taken), "--force", code=2)).err
    assert "cannot be written" in (await ledger_command("export", str(tmp_path / "no" / "all.csv"), code=2)).err
    await ledger_command("check")


@ON_A_FILE
async def test_unmasked_is_typed_out_and_no_cell_is_a_formula(used: str, ledger_command: Commands, tmp_path: Path):
    """A spreadsheet must not run what somebody called himself; a program gets the text as it is."""
    ledger = SqlLedger(used)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("-5", name="=HYPERLINK(1)", remark="+1"))
    await ledger.aclose()
    await ledger_command("export", str(tmp_path / "all.csv"), "--unmasked")
    await ledger_command("export", str(tmp_path / "all.jsonl"), "--unmasked")
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert (rows[0]["trade_no"], rows[0]["name"], rows[0]["remark"]) == ("'-5", "'=HYPERLINK(1)", "'+1")
    assert rows[1]["bank_number"] == "'10094038292"
    first = json.loads((tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert (first["trade_no"], first["name"]) == ("-5", "=HYPERLINK(1)")


@ON_A_FILE
@pytest.mark.trial
async def test_a_large_ledger_is_shown_and_exported_in_little_memory(
    database_url: str, ledger_command: Commands, tmp_path: Path
):
    """Thousands of payouts; what is held at one time is a page of them."""
    await fill(database_url, 8_000)
    file = tmp_path / "all.csv"
    tracemalloc.start()
    try:
        await ledger_command("export", str(file), "--ledger", database_url)
        found = await ledger_command.json("show", "--ledger", database_url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with file.open(encoding="utf-8", newline="") as text:
        assert sum(1 for _ in csv.reader(text)) == 8_001
    assert (found["states"][0]["payouts"], found["states"][0]["amount"]) == (8_000, "2400000")
    assert peak < 16_000_000


@ON_A_FILE
@pytest.mark.parametrize("found", [0, 1])
async def test_an_interrupt_ends_the_object_of_findings(
    used: str, ledger_command: Commands, monkeypatch: pytest.MonkeyPatch, found: int
):
    """With the exit code that the process has, and not with that of a ledger that does not fit together."""

    async def interrupted(_: object) -> AsyncIterator[Finding]:
        for number in range(found):
            yield Finding(merchant_no=MERCHANT, trade_no=f"T{number}", code="X", message="x")
        raise KeyboardInterrupt

    monkeypatch.setattr("paypro_async.cli.ledger.check.findings", interrupted)
    told = await ledger_command.json("check", code=130)
    assert (len(told["findings"]), told["sound"]) == (found, None)
    assert (told["exit_code"], told["kind"]) == (130, "interrupted")


async def test_findings_are_listed_by_number(used: str, ledger_command: Commands):
    """Exit code 1; without any, 0."""
    assert "is sound" in (await ledger_command("check")).out
    assert await ledger_command.json("check") == {"findings": [], "sound": True}
    await against_all_guards(used, "UPDATE payout SET amount = 'x' WHERE trade_no IN ('T1', 'T4')")
    done = await ledger_command("check", code=1)
    assert "payout T1 of merchant 0000000001: its amount is not a positive number (AMOUNT)" in done.out
    found = await ledger_command.json("check", code=1)
    assert ({one["trade_no"] for one in found["findings"]}, found["sound"]) == ({"T1", "T4"}, False)
    # What is broken can still be looked at.
    await ledger_command("show", "T1")
    assert (await ledger_command.json("show"))["unreadable_amounts"] == 2
    await ledger_command("export", "-")


@ON_A_FILE
@pytest.mark.parametrize("words", READING)
async def test_reading_changes_no_byte(used: str, ledger_command: Commands, path: Path, words: tuple[str, ...]):
    """Also while another process holds the ledger and writes to it."""
    payer = SqlLedger(used)
    await payer.open(ACCOUNT)
    await payer.claim(intent("T7"))
    before = {one.name: one.read_bytes() for one in path.parent.glob("*") if not one.name.endswith("-shm")}
    await ledger_command(*words)
    after = {one.name: one.read_bytes() for one in path.parent.glob("*") if not one.name.endswith("-shm")}
    assert after == before
    assert (await payer.claim(intent("T8"))).done
    await payer.aclose()


@ON_A_FILE
@pytest.mark.parametrize("words", READING)
async def test_a_ledger_that_cannot_be_read(
    used: str, ledger_command: Commands, path: Path, tmp_path: Path, words: tuple[str, ...]
):
    """Missing, of another schema, no ledger, or damaged: a sentence, an exit code, and no new file."""
    missing = tmp_path / "missing.db"
    done = await ledger_command(*words, "--ledger", str(missing), code=2)
    assert f"There is no ledger {missing}" in done.err
    assert not missing.exists()
    run(used, "UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    assert "paypro ledger migrate" in (await ledger_command(*words, code=2)).err
    run(used, "UPDATE meta SET value = '9' WHERE key = 'schema_version'")
    assert "a newer one" in (await ledger_command(*words, code=2)).err
    path.write_bytes(path.read_bytes()[:100] + b"\xa5" * 8000)
    done = await ledger_command(*words, code=1)
    assert "damaged" in done.out + done.err or "not a ledger" in done.err


@ON_A_FILE
async def test_whose_payouts_has_to_be_said_only_where_it_is_not_clear(
    used: str, ledger_command: Commands, monkeypatch: pytest.MonkeyPatch
):
    """Of several merchants one is named, by the option or as for paying."""
    ledger = SqlLedger(used)
    await ledger.open(type(ACCOUNT)(merchant_no=OTHER_MERCHANT, region="india", environment="e"))
    await ledger.claim(intent("X1", merchant_no=OTHER_MERCHANT))
    await ledger.aclose()
    assert f"{MERCHANT}, {OTHER_MERCHANT}" in (await ledger_command("show", code=2)).err
    assert "X1" in (await ledger_command("show", "X1", "--merchant", OTHER_MERCHANT)).out
    assert "holds no payouts of merchant 7" in (await ledger_command("show", "--merchant", "7", code=2)).err
    monkeypatch.setenv("PAYPRO_MERCHANT_NO", MERCHANT)
    assert "T1" in (await ledger_command("show", "T1")).out


async def test_which_ledger_has_to_be_said(ledger_command: Commands):
    """And not one that forgets."""
    assert "--ledger" in (await ledger_command("show", code=2)).err
    assert "--ledger" in (await ledger_command("show", "--ledger", "memory", code=2)).err
    assert "not understood" in (await ledger_command("show", "--ledger", "mysql://x/y", code=2)).err
    assert "is not a date" in (await ledger_command("export", "-", "--since", "yesterday", code=2)).err
