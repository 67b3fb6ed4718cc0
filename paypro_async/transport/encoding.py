"""The content encodings of a reply. None is asked for; a gateway may use one all the same."""

import zlib

__all__ = ["UnreadableEncodingError", "decoded"]

_GZIP = 16 + zlib.MAX_WBITS
_PLAIN = ("", "identity")


class UnreadableEncodingError(Exception):
    """What was packed cannot be unpacked, or not as a whole."""


def decoded(body: bytes, encoding: str, *, limit: int) -> bytes:
    """*body* unpacked, but never more than one byte beyond *limit*: a small reply may unpack to gigabytes.

    Raises:
        UnreadableEncodingError: If the encoding is not known, broken, or cut short.
    """
    name = encoding.strip().lower()
    if name in _PLAIN:
        return body
    if name in ("gzip", "x-gzip"):
        return _inflated(body, _GZIP, limit)
    if name != "deflate":
        raise UnreadableEncodingError
    try:
        return _inflated(body, zlib.MAX_WBITS, limit)
    except UnreadableEncodingError:
        # "deflate" means zlib's format; some servers leave its frame out.
        return _inflated(body, -zlib.MAX_WBITS, limit)


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    try:
        whole = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise UnreadableEncodingError from error
    if len(whole) <= limit and not unpacker.eof:
        raise UnreadableEncodingError
    return whole
