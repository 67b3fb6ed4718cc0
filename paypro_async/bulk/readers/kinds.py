"""Which kind of file it is, told by its first bytes; what cannot be read is named, with how to save it anew."""

import re

from paypro_async.bulk.problems import FileProblem, PayoutFileError

__all__ = ["encoding_hint", "is_zip", "refuse_foreign", "utf16_hint"]

_SAVE = 'save it as an Excel workbook (.xlsx) or as "CSV UTF-8"'
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe\x00\x00", "is text in UTF-32, not in UTF-8"),
    (b"\x00\x00\xfe\xff", "is text in UTF-32, not in UTF-8"),
    (b"\xff\xfe", "is text in UTF-16, not in UTF-8 (Excel calls it Unicode Text)"),
    (b"\xfe\xff", "is text in UTF-16, not in UTF-8 (Excel calls it Unicode Text)"),
    (b"%PDF", "is a PDF, in which there are no cells; take the list that it was made from, and"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it first, or"),
    (b"BZh", "is compressed with bzip2; unpack it first, or"),
    (b"\xfd7zXZ\x00", "is compressed with xz; unpack it first, or"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it first, or"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first, or"),
    (b"Rar!", "is a RAR archive; unpack it first, or"),
    (b"{\\rtf", "is a text document (RTF); copy its table into a spreadsheet, and"),
    (b"PAR1", "is a Parquet file;"),
    (b"ARROW1", "is an Arrow file;"),
    (b"SQLite format 3\x00", "is a database (SQLite);"),
    (b"\x89PNG", "is a picture; take the list that it was made from, and"),
    (b"\xff\xd8\xff", "is a picture; take the list that it was made from, and"),
    (b"PAY\x09\x00", "is no file of payouts;"),
)
_MARKUP = re.compile(
    rb"\s*<(?:!doctype|html|head|body|meta|style|table|div|tr|script|!--)|\s*mime-version:", re.IGNORECASE
)
# A title of a table may begin with a word in such brackets, but nothing ends what it begins.
_XML = re.compile(
    rb"\s*<\?xml|\s*<(?P<name>\w[\w:.-]*)\b[^>]*(?:/>|>.*</(?P=name)\s*>|\sxmlns)", re.IGNORECASE | re.DOTALL
)


def is_zip(beginning: bytes) -> bool:
    """Whether a file is an archive, as workbooks are."""
    return beginning.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def refuse_foreign(beginning: bytes) -> None:
    """Name a kind of file that is none of ours.

    Raises:
        PayoutFileError: If it is one of those.
    """
    if beginning.startswith(_OLE[:4]):
        # Which of the two it is, its directory tells, wherever that lies in it.
        if _ENCRYPTED in beginning:
            raise _refused("is a workbook with a password; take the password away in Excel (File, Info), and")
        raise _refused("is a workbook of the old kind (.xls), or one with a password;")
    for first, what in _FOREIGN:
        if beginning.startswith(first):
            raise _refused(what)
    text = beginning.removeprefix(b"\xef\xbb\xbf")
    if _MARKUP.match(text):
        raise _refused("is a web page (HTML), whatever its name says, as some banks export; open it in Excel, and")
    if _XML.match(text):
        raise _refused("is XML, as Excel 2003 wrote it; open it in Excel, and")


def utf16_hint(beginning: bytes) -> str:
    """What a NUL byte in text says of its encoding."""
    half = max(1, len(beginning) // 2)
    zeros = max(beginning[0::2].count(0), beginning[1::2].count(0))
    return "; it looks like UTF-16" if zeros > half // 2 else ""


def encoding_hint(byte: int) -> str:
    """What a byte that is not UTF-8 says of the encoding, for people; nothing is ever decoded by such a guess."""
    if 0x80 <= byte <= 0x9F or byte >= 0xC0:
        return (
            f"; byte 0x{byte:02X} may be what Excel writes as plain CSV (Windows-1252 or Latin-1, in East Asia GBK, "
            "Big5 or Shift JIS)"
        )
    return f"; byte 0x{byte:02X}, as in Windows-1252 or ISO-8859-1 (Latin-1)"


def _refused(what: str) -> PayoutFileError:
    joined = what if what.endswith((";", ",", " or", " and")) else f"{what};"
    return PayoutFileError([FileProblem(line=1, code="NOT_CSV", message=f"{joined} {_SAVE}")])
