"""Everything that `paypro batch` refuses before it sends anything. No platform is there, so nothing could be sent."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from paypro_async.cli.app import paypro, run
from tests.support.terminal import MERCHANT_NO, SECRET, keeps_quiet, payout, write_file

Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Run a command in this process, in a folder of its own: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "BASE_URL": "http://127.0.0.1:9",
        "ENVIRONMENT": "sandbox",
        "MERCHANT_NO": MERCHANT_NO,
        "SECRET": SECRET,
        "IP_ADDRESS": "127.0.0.1",
        "NOTIFY_URL": "http://127.0.0.1:9/paypro",
        "LEDGER": "payouts.db",
    }.items():
        monkeypatch.setenv(f"PAYPRO_{name}", value)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        out, err = capsys.readouterr()
        keeps_quiet(out + err)
        return code, out, err

    return call


def test_every_wrong_row_is_listed_and_nothing_is_sent(here: Here) -> None:
    """`FILE:line: row N, field: message [CODE]`, exit code 3, no ledger and no result file."""
    rows = [payout(1), payout(2, bank_code="idfb0043121"), payout(3, amount="1,000", mobile="12")]
    write_file(Path("p.csv"), rows)
    code, out, err = here("batch", "p.csv", "--yes")

    assert (code, out) == (3, "")
    assert err.splitlines()[0].startswith("p.csv:3: row 2, bank_code: ")
    assert err.splitlines()[0].endswith(" [IFSC_FORMAT]")
    assert [line.split(": ")[1] for line in err.splitlines()[1:3]] == ["row 3, amount", "row 3, mobile"]
    assert err.splitlines()[-1] == "3 problems in 2 rows. Nothing was sent."
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "p.csv:1: is empty: no payouts in it [EMPTY_FILE]"),
        (
            b"PK\x03\x04xlsx",
            "p.csv:1: is a workbook that is cut off: its end is missing; open it in Excel or LibreOffice and",
        ),
        (b"amount,name\n1,Jos\xe9\n", "p.csv:2: is not text in UTF-8; save it again as"),
        (b"amount,amount\n", "p.csv:1: header, amount: has two columns, 1 and 2; keep one of them [COLUMN_TWICE]"),
        (b"a\0b", "p.csv:1: holds a NUL byte"),
    ],
    ids=["empty", "xlsx", "latin-1", "header", "nul"],
)
def test_a_file_that_is_no_csv_is_refused(here: Here, content: bytes, said: str) -> None:
    """Exit code 3, with the line and what to do."""
    Path("p.csv").write_bytes(content)
    code, _, err = here("batch", "p.csv", "--yes")

    assert code == 3
    assert err.startswith(said)
    assert err.rstrip().endswith("Nothing was sent.")


def test_a_header_alone_is_refused(here: Here) -> None:
    """A file without payouts is a mistake."""
    Path("p.csv").write_text(",".join(payout(1)))
    code, _, err = here("batch", "p.csv", "--yes")

    assert code == 3
    assert "NO_PAYOUTS" in err


def test_without_a_ledger_nothing_is_paid(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names both ways to give one."""
    write_file(Path("p.csv"), [payout(1)])
    monkeypatch.delenv("PAYPRO_LEDGER")
    code, _, err = here("batch", "p.csv", "--yes")

    assert code == 2
    assert "--ledger" in err
    assert "PAYPRO_LEDGER" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ledger", "memory"], "forgets"),
        (["--ledger", "redis://x"], "Give --ledger='sqlite:///payouts.db' (or just 'payouts.db';"),
        (["--ledger", "sqlite:///:memory:"], "not understood"),
        (["--result", "p.csv"], "is the input or belongs to the ledger; nothing was written"),
        (["--result", "payouts.db"], "is the input or belongs to the ledger; nothing was written"),
        (["--result", "nowhere/r.csv"], "cannot be written"),
        (["--concurrency", "0"], "concurrency"),
        (["--rate", "0"], "rate must be a number"),
        (["--rate", "1e300"], "rate must be a number"),
        (["--base-url", "http://elsewhere.example"], "say --allow-plain-http if"),
        (["--region", "atlantis"], "atlantis"),
        (
            ["--settle-after", "1", "--request-timeout", "5"],
            "--settle-after (1 s) must be longer than --request-timeout (5 s)",
        ),
        (["--secret", "x"], "No such option"),
    ],
)
def test_what_cannot_work_is_wrong_usage(here: Here, options: list[str], said: str) -> None:
    """Exit code 2, in one sentence, before the file is paid."""
    write_file(Path("p.csv"), [payout(1)])
    code, out, err = here("batch", "p.csv", "--yes", *options)

    assert (code, out) == (2, "")
    assert said in err
    assert [one.name for one in Path().iterdir()] == ["p.csv"]


@pytest.mark.parametrize("words", [["--help"], ["batch", "--help"], ["--version"], ["demo", "-h"]])
def test_help_needs_no_settings(here: Here, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """And the secret is none of the options."""
    monkeypatch.delenv("PAYPRO_BASE_URL")
    monkeypatch.delenv("PAYPRO_SECRET")
    code, out, err = here(*words)

    assert (code, err) == (0, "")
    assert out
    assert "--secret" not in out


def test_missing_settings_are_all_named(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, by their variables."""
    write_file(Path("p.csv"), [payout(1)])
    monkeypatch.delenv("PAYPRO_BASE_URL")
    monkeypatch.delenv("PAYPRO_SECRET")
    code, _, err = here("batch", "p.csv", "--yes")

    assert code == 2
    missing = "--base-url (or PAYPRO_BASE_URL), PAYPRO_SECRET (or PAYPRO_SECRET_FILE)"
    assert err == f"Error: Not set: {missing}. Nothing was sent.\n"


def test_a_file_that_is_not_there_is_wrong_usage(here: Here) -> None:
    """As every program says it."""
    code, _, err = here("batch", "nowhere.csv")

    assert code == 2
    assert "does not exist" in err


def test_what_is_worth_knowing_is_said_once(here: Here) -> None:
    """Other columns, decimals, and payouts that look alike."""
    rows = [payout(1, team="a"), payout(1, team="b"), payout(2, amount="0.5", team="a")]
    write_file(Path("p.csv"), rows)
    code, out, err = here("batch", "p.csv", "--dry-run")

    assert code == 0
    assert "'team'" in err
    assert "1 row has an amount with decimals" in err
    assert "1 row repeats an earlier row (same amount, same beneficiary): line 3. Both will be paid." in err
    assert out.startswith("3 payouts, 202.50 INR in all.\n")
    assert not Path("payouts.db").exists()


def test_an_unexpected_error_shows_its_place_and_no_values(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours may quote a payout in its text; exit code 1."""
    write_file(Path("p.csv"), [payout(1)])

    def broken(*_: object, **__: object) -> None:
        raise LookupError(payout(1)["bank_number"])

    monkeypatch.setattr("paypro_async.bulk.apply.make_plan", broken)
    code, _, err = here("batch", "p.csv", "--yes")

    assert code == 1
    assert err.startswith("Unexpected LookupError.")
    assert "in broken" in err


def test_ctrl_c_while_the_file_is_checked(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, nothing was sent."""
    write_file(Path("p.csv"), [payout(1)])

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paypro_async.bulk.apply.make_plan", interrupted)
    code, _, err = here("batch", "p.csv", "--yes")

    assert (code, err.strip()) == (130, "Interrupted.")


@pytest.mark.parametrize("name", ["", *paypro.commands])
def test_help_shows_no_marks_for_the_formatter(here: Here, name: str) -> None:
    """A table stays a table, one line each."""
    _, out, _ = here(*([name] if name else []), "--help")

    assert "\\b" not in out
    assert "\b" not in out
    if name == "batch":
        assert "\n      3  the file was refused; nothing was sent\n" in out


def test_plain_http_can_be_allowed(here: Here) -> None:
    """For a network of one's own."""
    write_file(Path("p.csv"), [payout(1)])
    code, _, _ = here("batch", "p.csv", "--base-url", "http://elsewhere.example", "--allow-plain-http", "--dry-run")

    assert code == 0


def test_many_rows_that_repeat_are_not_all_listed(here: Here) -> None:
    """Ten lines are enough to see what it is."""
    write_file(Path("p.csv"), [payout(1)] * 13)
    _, _, err = here("batch", "p.csv", "--dry-run")

    assert "12 rows repeat earlier rows (same amount, same beneficiary): lines 3, 4," in err
    assert "11, 12 and 2 more. All of them will be paid." in err


@pytest.mark.parametrize("name", ["IP_ADDRESS", "NOTIFY_URL"])
def test_a_wrong_value_for_all_rows_is_said_once(here: Here, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By its variable and its option; exit code 2."""
    write_file(Path("p.csv"), [payout(1), payout(2)])
    monkeypatch.setenv(f"PAYPRO_{name}", "nonsense")
    code, _, err = here("batch", "p.csv", "--yes")

    assert code == 2
    assert err.count("must be an") == 1
    assert f"PAYPRO_{name} (or --{name.lower().replace('_', '-')}) must be an" in err


def test_an_invalid_file_as_json(here: Here) -> None:
    """On standard output, every problem with its place, and never the value."""
    write_file(Path("p.csv"), [payout(1), payout(2, bank_code="idfb0043121")])
    code, out, err = here("batch", "p.csv", "--yes", "--json")
    found = json.loads(out)

    assert code == 3
    assert found["valid"] is False
    assert [set(one) for one in found["problems"]] == [{"line", "row", "field", "code", "message"}]
    assert (found["problems"][0]["line"], found["problems"][0]["code"]) == (3, "IFSC_FORMAT")
    assert err.endswith("1 problem in 1 row. Nothing was sent.\n")
