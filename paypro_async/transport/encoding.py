"""The content encodings of a reply. None is asked for; a gateway may use one all the same."""

import zlib

__all__ = ["UnreadableEncodingError", "decoded"]

_GZIP = 16 + zlib.MAX_WBITS
_PLAIN = ("", "identity")


class UnreadableEncodingError(Exception):
    """What was packed cannot be unpacked, or not as one whole."""


def decoded(body: bytes, encoding: str, *, limit: int) -> bytes:
    """*body* unpacked, but never more than one byte beyond *limit*: a small reply may unpack to gigabytes.

    Raises:
        UnreadableEncodingError: If the encoding is not known, broken, or cut short.
    """
    name = encoding.strip("\t ").lower()
    if name in _PLAIN:
        return body
    if name in ("gzip", "x-gzip"):
        return _inflated(body, _GZIP, limit)
    if name != "deflate":
        raise UnreadableEncodingError
    # "deflate" means zlib's format; some servers leave its frame out.
    framed = len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0
    return _inflated(body, zlib.MAX_WBITS if framed else -zlib.MAX_WBITS, limit)


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    try:
        whole = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise UnreadableEncodingError from error
    # What stands behind the end some programs read on and others leave out.
    if len(whole) <= limit and (not unpacker.eof or unpacker.unused_data):
        raise UnreadableEncodingError
    return whole
