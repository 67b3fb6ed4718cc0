"""A workbook is read by two programs, and what they read differently is paid to nobody."""

import io
import sys

import pytest

from paypro_async.bulk import PayoutFileError
from paypro_async.errors import ConfigurationError
from tests.bulk.readers.test_kinds import AS_TEXT
from tests.support.payout_files import open_file, plan_of
from tests.support.workbooks import HEADER, PAYOUT, Raw, book, sheet, workbook


def test_what_two_programs_read_differently_is_refused() -> None:
    """Blanks that are not marked as kept are dropped by one and kept by the other: ``AshaRao`` or ``Asha Rao``."""
    made = book(
        [*PAYOUT[:1], Raw("<v>0</v>", "s"), *PAYOUT[2:]], AS_TEXT[1], shared=["<r><t>Asha</t></r><r><t> Rao</t></r>"]
    )
    with open_file(made) as file:
        problems = plan_of(file).problems
    assert [(one.code, one.field, one.cell) for one in problems] == [("READ_IN_TWO_WAYS", "name", "B2")]
    assert "Asha" not in str(problems)


def test_without_the_library_a_workbook_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with the other way to pay the file."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ConfigurationError, match=r"paypro-async\[xlsx\].*or save the file as CSV"):
        open_file(book(*AS_TEXT))


def test_the_library_is_given_the_sheet_and_its_texts_alone() -> None:
    """Parts that no limit was applied to, such as texts that nothing refers to, are not unpacked by it."""
    relations = (
        '<Relationships><Relationship Id="s0" Type="x/worksheet" Target="/xl/worksheets/sheet1.xml"/></Relationships>'
    )
    parts = {"xl/sharedStrings.xml": "no XML", "xl/styles.xml": "none", "xl/_rels/workbook.xml.rels": relations}
    with open_file(workbook(sheet(HEADER, PAYOUT), parts=parts)) as file:
        assert plan_of(file).rows == 1


class PanicException(BaseException):
    """As Rust's is."""


PanicException.__module__ = "pyo3_runtime"


def test_a_workbook_over_which_the_library_panics_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its panic is no ``Exception``, and would pass whatever else catches one."""
    import python_calamine

    def panic(*_: object) -> None:
        raise PanicException("attempt to subtract with overflow")

    monkeypatch.setattr(python_calamine.CalamineWorkbook, "from_filelike", panic)
    with pytest.raises(PayoutFileError, match="python-calamine"):
        open_file(book(*AS_TEXT))


def test_a_row_that_only_the_library_sees_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a payout to somebody."""
    monkeypatch.setattr(
        "paypro_async.bulk.readers.second_reading._rows_of",
        lambda *_: iter([HEADER, PAYOUT, [*PAYOUT[:1], "Ravi Nair", *PAYOUT[2:]]]),
    )
    with open_file(workbook(sheet(HEADER, PAYOUT))) as file:
        problems = plan_of(file).problems
    assert {(one.code, one.line) for one in problems} == {("READ_IN_TWO_WAYS", 3)}
    assert "Ravi" not in str(problems)


def test_a_workbook_that_only_one_program_can_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With words, as any damaged one."""
    import python_calamine

    def refuse(*_: object) -> None:
        raise python_calamine.CalamineError

    monkeypatch.setattr(python_calamine.CalamineWorkbook, "from_filelike", refuse)
    with pytest.raises(PayoutFileError, match="python-calamine"):
        open_file(io.BytesIO(book(*AS_TEXT)).getvalue())
