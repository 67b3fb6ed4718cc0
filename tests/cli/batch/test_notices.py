"""What is said of a file beside its plan."""

import sys
import time

import pytest

from paypro_async.cli.batch import notices


@pytest.mark.parametrize(("terminal", "seconds", "said"), [(True, 0.3, True), (True, 0, False), (False, 0.3, False)])
def test_a_terminal_says_that_it_is_reading_if_that_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, seconds: float, said: bool
) -> None:
    """Nothing is said of a file that is read at once, nor to a program."""
    monkeypatch.setattr(notices, "_LONG", 0.1)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with notices.told_while_reading("salaries.xlsx"):
        time.sleep(seconds)
    assert ("Reading salaries.xlsx" in capsys.readouterr().err) is said
