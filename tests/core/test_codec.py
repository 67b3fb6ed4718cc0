import contextlib
import json
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from attrs import frozen
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async._core.codec import Note, ReadingError, read, read_json
from paypro_async._core.wire import BalanceData, Envelope, OrderData

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@frozen
class Sample:
    text: str | None = None
    whole: int | None = None
    flag: bool | None = None
    money: Decimal | None = None
    words: Note | None = None


@frozen
class Needy:
    name: str


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def test_numbers_keep_every_digit():
    """A balance of 9998989.0000 survives."""
    body = b'{"a": 9998989.0000, "b": 0.1, "c": 12345678901234567890, "d": -1.50, "e": 1e3}'
    assert {key: str(value) for key, value in read_json(body).items()} == {
        "a": "9998989.0000",
        "b": "0.1",
        "c": "12345678901234567890",
        "d": "-1.50",
        "e": "1E+3",
    }


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"<html>502 Bad Gateway</html>",
            b'{"code": "0000"',
            b'{"code": "0000",}',
            b"{'code': 1}",
            b"\xff",
        ),
        *(b"null", b"true", b"7", b'"0000"', b"[]", b'[{"code": "0000"}]', b'{"a": NaN}', b'{"a": Infinity}'),
        *(b'{"a": -Infinity}', b'{"a": 1}{"b": 2}', b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\n"}'),
        *(b'{"a": ' + b"9" * 5_000 + b"}", b'{"a": 1e9999999999999999999}', b'{"a": -1.5E-9999999999999999999}'),
        *(b'{"a": ' + b"[" * 100_000, b'{"a": ' * 100_000, '{"code": "0000"}'.encode("utf-16")),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_no_json_object_in_utf8_with_finite_numbers_is_a_reading_error(body: bytes):
    """An HTML page, a cut body, and what only Python's parser takes for JSON."""
    with pytest.raises(ReadingError):
        read_json(body)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()) | st.from_regex(rb"\{[ -~]*\}", fullmatch=True))
@example(b'{"a":1e9999999999999999999}')
@example(b'{"a":"\\ud800"}')
def test_any_bytes_are_an_object_or_a_reading_error(body: bytes):
    """Nothing else is ever raised, and every text in the object can be stored and printed."""
    try:
        value = read_json(body)
    except ReadingError:
        return
    for text in _texts(value):
        text.encode("utf-8")


def test_the_precision_of_the_application_does_not_reach_the_reader():
    """An application may set a coarse decimal context, or one without traps, for its own sums."""
    with localcontext(Context(prec=2, traps=[])):
        assert read_json(b'{"a": 9998989.0000}') == {"a": Decimal("9998989.0000")}
        assert read({"money": "9998989.0000"}, Sample).money == Decimal("9998989.0000")
        with pytest.raises(ReadingError):
            read_json(b'{"a": 1e9999999999999999999}')


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ({"text": "x", "whole": 7, "flag": True, "money": "1.50", "words": "w"}, ("x", 7, True, Decimal("1.50"), "w")),
        ({"money": 7, "words": 7}, (None, None, None, Decimal(7), "7")),
        ({"money": Decimal("1.5"), "words": Decimal("1.50")}, (None, None, None, Decimal("1.5"), "1.50")),
        ({"money": "-1.50"}, (None, None, None, Decimal("-1.50"), None)),
        ({"text": None, "whole": None, "flag": None, "money": None, "words": None}, (None,) * 5),
        ({"words": True}, (None,) * 5),
        ({"words": {"a": 1}}, (None,) * 5),
        ({"words": ["a"]}, (None,) * 5),
        ({"other": "x"}, (None,) * 5),
    ],
)
def test_a_value_of_the_right_type_is_read_as_it_is(given: dict[str, Any], there: tuple[Any, ...]):
    """Amounts may be numbers or text; words that decide nothing may be anything."""
    one = read(given, Sample)
    assert (one.text, one.whole, one.flag, one.money, one.words) == there
    assert type(one.money) is type(there[3])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("text", value) for value in (1, True, Decimal(1), ["S3CR3T"], {"S3CR3T": 1})],
        *[("whole", value) for value in ("1", True, Decimal("1.5"), "S3CR3T", [1])],
        *[("flag", value) for value in (0, 1, "true", "S3CR3T", Decimal(1))],
        *[
            ("money", value)
            for value in (True, "S3CR3T", "1,5", "1e3", " 1", "1\n", "\u0661", ".5", "NaN", [], {}, 1.5)
        ],
    ],
)
def test_nothing_is_coerced(name: str, value: object):
    """A value of another type is a reading error that names the member and not the value."""
    with pytest.raises(ReadingError, match=f"missing or of another type: {name}") as caught:
        read({name: value}, Sample)
    assert "S3CR3T" not in f"{caught.value}{caught.value.args}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_every_wrong_member_is_named():
    """Not only the first."""
    with pytest.raises(ReadingError, match="missing or of another type: flag, text, whole"):
        read({"text": 1, "whole": "1", "flag": "true", "money": "1"}, Sample)


@pytest.mark.parametrize("value", [{}, {"other": 1}, {"name": None}])
def test_a_missing_member_is_a_reading_error(value: object):
    """None is no text."""
    with pytest.raises(ReadingError, match="name"):
        read(value, Needy)


@pytest.mark.parametrize("value", [None, 7, True, "text", [], ["name"], Decimal(1)])
def test_what_is_no_object_is_a_reading_error(value: object):
    """Whatever else `data` may be."""
    with pytest.raises(ReadingError):
        read(value, Needy)


@given(JSON, st.sampled_from([Envelope, OrderData, BalanceData, Sample, Needy]))
def test_any_json_is_read_or_a_reading_error(value: object, into: type):
    """Nothing else is ever raised."""
    with contextlib.suppress(ReadingError):
        assert isinstance(read(value, into), into)
