"""A file that is still being written, or was cut off, is never paid as far as it had come."""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.problems import PayoutFileError
from tests.support.payout_files import HEADER, INDIA, SHARED, csv_text, open_file, plan_of, row, rows_of

# The amount comes last, where a cut is worst: 1500 becomes 150.
AMOUNT_LAST = "name,mobile,email,bank_number,bank_code,amount"


def amount_last(amount: str, account: str = "10094038292", quote: str = "") -> str:
    return f"Asha Rao,8234567890,asha@gmail.com,{account},IDFB0043121,{quote}{amount}{quote}"


def signs(source: bytes | Path) -> list[tuple[int, str]]:
    data = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with data, PayoutFile(data, spec=INDIA, defaults=SHARED) as file:
        return [(one.line, one.code) for one in file.incomplete]


class Written(io.FileIO):
    """A file that another program writes to after the first part of it was read."""

    def __init__(self, path: Path, more: bytes) -> None:
        super().__init__(path, "rb")
        self._path, self._more = path, more

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(-1 if size is None else size) or b""
        more, self._more = self._more, b""
        if more:
            with self._path.open("ab") as file:
                file.write(more)
        return found


@contextmanager
def open_in_another_process(path: Path) -> Iterator[None]:
    program = "import sys; file = open(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\n,,,,,\r\n"], ids=repr)
def test_a_last_line_with_an_end_is_whole(end: str) -> None:
    """Whichever end the program writes that made the file."""
    assert signs(f"{HEADER}\n{row()}{end}".encode()) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{HEADER}\n{row()}", 2),
        (f"{HEADER}\n{row()}\n{row()}", 3),
        (f"{HEADER}\r\n{row()}\r\n{row()}", 3),
        (f"{HEADER}\n{row()}\n   ", 3),
        (f"{HEADER}\n{row()}\n,", 3),
        (f"{HEADER}\n{row()}\n\ufeff", 3),
        (HEADER, 1),
    ],
)
def test_a_last_line_without_an_end_may_be_cut(text: str, line: int) -> None:
    """Its last cell may be a part of what was meant; the message says how to go on."""
    assert signs(text.encode()) == [(line, "NO_LINE_END")]
    with open_file(text) as file:
        (sign,) = file.incomplete
        assert "--file-complete" in sign.message
        assert "complete=True" in sign.message


def test_a_closed_quote_ends_the_last_cell() -> None:
    """Programs that put every cell in quotes may leave out the last line end."""
    assert signs(f"{AMOUNT_LAST}\n{amount_last('1500', quote=chr(34))}".encode()) == []


LINES = [amount_last("1500"), amount_last("25000.50", "0042"), amount_last("7"), amount_last("30", "AB12", quote='"')]


@given(st.data(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([",", ";", "\t"]))
def test_a_file_cut_anywhere_is_refused_or_pays_whole_rows(data: st.DataObject, end: str, separator: str) -> None:
    """Wherever a writer had come to, no row is paid that it did not mean."""
    text = end.join([AMOUNT_LAST, *LINES, ""]).replace(",", separator)
    cut = text[: data.draw(st.integers(1, len(text)))]
    with open_file(text) as whole:
        meant = [intent.content for _, intent in rows_of(whole)]
    try:
        with open_file(cut) as file:
            if file.incomplete or plan_of(file).problems:
                return
            paid = [intent.content for _, intent in rows_of(file)]
    except PayoutFileError:
        return
    own = {"tradeNo": "", "ipAddress": "", "notifyUrl": ""}
    assert [{**one, **own} for one in paid] == [{**one, **own} for one in meant[: len(paid)]]


@pytest.mark.parametrize("more", [f"{row()}\n".encode(), b" ", b"\n"], ids=repr)
def test_a_file_that_is_written_while_it_is_copied_is_refused(tmp_path, more: bytes) -> None:
    """Also if what was copied ends with a whole line."""
    path = tmp_path / "p.csv"
    path.write_text(csv_text(row()))
    with pytest.raises(PayoutFileError) as caught, Written(path, more) as source:
        PayoutFile(source, spec=INDIA, defaults=SHARED)
    assert [one.code for one in caught.value.problems] == ["FILE_CHANGED"]


def test_a_file_that_is_shortened_or_written_over_while_it_is_copied_is_refused(tmp_path) -> None:
    """A program that writes the same number of bytes anew changes what they mean."""
    for after in (b"", csv_text(row("999")).encode()):
        path = tmp_path / "p.csv"
        path.write_text(csv_text(row("300")))
        os.utime(path, ns=(1, 1))

        class Over(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                found = super().read(-1 if size is None else size) or b""
                if found:
                    path.write_bytes(after)  # noqa: B023  it is used in this round only
                return found

        with pytest.raises(PayoutFileError) as caught, Over(path) as source:
            PayoutFile(source, spec=INDIA, defaults=SHARED)
        assert [one.code for one in caught.value.problems] == ["FILE_CHANGED"]


def test_a_file_that_is_replaced_while_it_is_copied_is_refused(tmp_path) -> None:
    """What was read is whole, and not what stands there now; one that is moved away is still that file."""
    for replaced in (True, False):
        path, new = tmp_path / "p.csv", tmp_path / "new.csv"
        path.write_text(csv_text(row("300")))
        new.write_text(csv_text(row("999")))

        class Moved(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                found = super().read(-1 if size is None else size) or b""
                if not found:
                    new.replace(path) if replaced else path.rename(new)  # noqa: B023  it is used in this round only
                return found

        with Moved(path) as source:
            if replaced:
                with pytest.raises(PayoutFileError) as caught:
                    PayoutFile(source, spec=INDIA, defaults=SHARED)
                assert [one.code for one in caught.value.problems] == ["FILE_CHANGED"]
            else:
                PayoutFile(source, spec=INDIA, defaults=SHARED).close()


@pytest.mark.skipif(sys.platform != "linux", reason="only there the system tells")
def test_a_file_that_another_program_has_open_for_writing_may_grow(tmp_path) -> None:
    """Also between two of its lines; and no more once that has closed it."""
    path = tmp_path / "p.csv"
    path.write_text(csv_text(row()))
    with open_in_another_process(path):
        assert signs(path) == [(1, "FILE_OPEN")]
    assert signs(path) == []


def test_what_this_process_writes_itself_is_its_own_business(tmp_path) -> None:
    """A temporary file with a name is often read while its handle is still open."""
    with tempfile.NamedTemporaryFile("w+", suffix=".csv", dir=tmp_path) as own:
        own.write(csv_text(row()))
        own.flush()
        assert signs(Path(own.name)) == []
        own.seek(0)
        with PayoutFile(own.buffer, spec=INDIA, defaults=SHARED) as file:
            assert file.incomplete == ()


def test_a_pipe_has_no_state_and_its_last_line_counts() -> None:
    """A program that was killed in the middle closes its pipe like any other."""
    for text, expected in ((csv_text(row()), []), (csv_text(row())[:-2], [(2, "NO_LINE_END")])):
        reading, writing = os.pipe()
        os.write(writing, text.encode())
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe, PayoutFile(pipe, spec=INDIA, defaults=SHARED) as file:
            assert [(one.line, one.code) for one in file.incomplete] == expected


def test_an_upload_in_memory_stays_there() -> None:
    """Asked for a number, it would be written to a disk."""
    with tempfile.SpooledTemporaryFile() as upload:
        upload.write(csv_text(row()).encode())
        upload.seek(0)
        with PayoutFile(upload, spec=INDIA, defaults=SHARED) as file:  # type: ignore[arg-type]  # it reads bytes
            assert file.incomplete == ()
        assert not upload._rolled


@pytest.mark.parametrize(
    ("change", "grown"),
    [
        (lambda path: path.write_text(csv_text(row(), row("7"))), True),
        (lambda path: path.write_text(csv_text(row("999999"), row())), False),
        (lambda path: path.write_text(""), False),
        (lambda path: path.unlink(), False),
        (os.utime, False),
        (lambda path: path.with_name("new").rename(path), False),
    ],
    ids=["more", "edited", "emptied", "removed", "touched", "replaced"],
)
def test_only_more_behind_the_same_beginning_is_growth(tmp_path, change, *, grown: bool) -> None:
    """What was checked may be paid, whatever becomes of the file; but a writer that goes on had not ended."""
    path = tmp_path / "p.csv"
    (tmp_path / "new").write_text(csv_text(row(), row(), row()))
    path.write_text(csv_text(row()))
    with path.open("rb") as source, PayoutFile(source, spec=INDIA, defaults=SHARED) as file:
        assert not file.has_grown(path)
        change(path)
        assert file.has_grown(path) == grown
