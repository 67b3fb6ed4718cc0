"""Numbers on the command line that make no sense are refused before anything is made."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from paypro_async.cli.app import paypro, run
from paypro_async.cli.options import NumberRange
from tests.support.terminal import payout, write_file


def options(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """Every option of any command that takes a number with decimals."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from options(one, *words, name)
    for one in command.params:
        if isinstance(one.type, click.types.FloatParamType):
            yield *words, one.opts[0]


ALL = list(options(paypro))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1", "ten"])
def test_what_is_no_number_is_refused(
    words: tuple[str, ...],
    number: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the option's name, and no ledger is there afterwards."""
    monkeypatch.chdir(tmp_path)
    account = {"BASE_URL": "http://127.0.0.1:9", "MERCHANT_NO": "1", "SECRET": "s", "LEDGER": "new.db"}
    for name, value in account.items():
        monkeypatch.setenv(f"PAYPRO_{name}", value)
    write_file(tmp_path / "p.csv", [payout(1)])
    more = {"batch": ["p.csv", "--wait"], "decide": ["T1", "paid", "--by", "me", "--note", "seen"]}.get(words[-2], [])

    assert run([*words[:-1], *more, f"{words[-1]}={number}"]) == 2

    assert words[-1].strip("-") in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["p.csv"]


def test_all_of_them_were_tried() -> None:
    """The test above would be happy with none."""
    assert {("batch", "--wait-timeout"), ("sandbox", "--speed"), ("ledger", "decide", "--settle-after")} <= set(ALL)


@pytest.mark.parametrize("words", [("batch", "p.csv", "--paid-within=1e15"), ("sandbox", "--booking-lag=1e308")])
def test_what_no_calendar_holds_is_refused(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was an error of the program."""
    monkeypatch.chdir(tmp_path)
    write_file(tmp_path / "p.csv", [payout(1)])
    assert run(list(words)) == 2
    assert "is not in the range" in capsys.readouterr().err


def test_a_number_is_taken_as_it_was_before() -> None:
    """Also at its bounds."""
    assert [NumberRange(0, 5).convert(text, None, None) for text in ("0", "5", "2.5", "1e-9")] == [0, 5, 2.5, 1e-9]
