"""A reply that was packed is read whole or not at all."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async.transport.encoding import UnreadableEncodingError, decoded

BODY = b'{"code":"0000"}'


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (BODY, ""),
        (BODY, "identity"),
        (gzip.compress(BODY), "gzip"),
        (gzip.compress(BODY), " GZip "),
        (gzip.compress(BODY), "x-gzip"),
        (zlib.compress(BODY), "deflate"),
        (bare(BODY), "deflate"),
    ],
    ids=["none", "identity", "gzip", "spelling", "x-gzip", "zlib", "bare"],
)
def test_known_encodings_are_unpacked(packed: bytes, encoding: str):
    """What gateways use, as they spell it."""
    assert decoded(packed, encoding, limit=1000) == BODY


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_other_encodings_are_unreadable(encoding: str):
    """An encoding that is not known is no text."""
    with pytest.raises(UnreadableEncodingError):
        decoded(gzip.compress(BODY), encoding, limit=1000)


@given(st.integers(min_value=0, max_value=len(gzip.compress(BODY)) - 1))
def test_a_cut_reply_is_unreadable(end: int):
    """Wherever it was cut: half a reply is none."""
    with pytest.raises(UnreadableEncodingError):
        decoded(gzip.compress(BODY)[:end], "gzip", limit=1000)


def test_a_bomb_is_not_unpacked():
    """Of what would unpack to a gigabyte no more is unpacked than shows that it is too long."""
    assert len(decoded(gzip.compress(b"a" * 10_000_000), "gzip", limit=1000)) == 1001


def test_the_limit_itself_is_allowed():
    """A reply of exactly the limit is whole."""
    assert decoded(gzip.compress(b"a" * 1000), "gzip", limit=1000) == b"a" * 1000
