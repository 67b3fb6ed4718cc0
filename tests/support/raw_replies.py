"""Replies as bytes, and how the strict reading takes each: what every transport must make of them."""

import gzip
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from paypro_async._core.outcome import Verdict

TRADE_NO = "T1"
PAID = b'{"code":"0000","msg":"success","success":true,"data":{"tradeNo":"T1","platFormTradeNo":"P-1","status":"0000"}}'
PROCESSING = PAID.replace(b'"status":"0000"', b'"status":"0015"')
FAILED = PAID.replace(b'"status":"0000"', b'"status":"60030"')
REFUSED = b'{"code":"60030","msg":"bank account is wrong","success":false,"data":null}'

U, P = Verdict.UNKNOWN, Verdict.PAID


@frozen
class Raw:
    """One reply.

    Args:
        data: Every byte that the server writes before it ends the connection.
        verdict: Of a payout with the number ``TRADE_NO``.
    """

    data: bytes
    verdict: Verdict = Verdict.UNKNOWN


def head(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((start, *lines)) + b"\r\n\r\n"


def sized(body: bytes, *lines: bytes, start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head(b"Content-Length: %d" % len(body), *lines, start=start) + body


def text(body: str, encoding: str = "utf-8") -> bytes:
    return sized(body.encode(encoding))


def chunks(*parts: bytes, last: bytes = b"0\r\n\r\n", lines: tuple[bytes, ...] = ()) -> bytes:
    return head(b"Transfer-Encoding: chunked", *lines) + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + last


def packed(body: bytes, encoding: bytes) -> bytes:
    return sized(body, b"Content-Encoding: " + encoding)


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _flushed(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


N = len(PAID)
_A, _B = PAID[:50], PAID[50:]
_SAYS = '{"code":"0000","msg":"%s","success":true,"data":{"tradeNo":"T1","platFormTradeNo":"P-1","status":"0000"}}'


def _length(value: bytes, *more: bytes) -> bytes:
    return head(b"Content-Length: " + value, *more) + PAID


_FRAMING = {
    "plain": Raw(sized(PAID), P),
    "processing": Raw(sized(PROCESSING), Verdict.PROCESSING),
    "failed": Raw(sized(FAILED), Verdict.FAILED),
    "refused": Raw(sized(REFUSED), Verdict.REFUSED),
    "small letters": Raw(head(b"content-length:%d" % N) + PAID, P),
    "blanks around the length": Raw(_length(b"\t  %d \t" % N), P),
    "zeros before the length": Raw(_length(b"000%d" % N), P),
    "length twice, equal": Raw(_length(b"%d" % N, b"Content-Length: %d" % N)),
    "length twice, different": Raw(_length(b"%d" % N, b"Content-Length: 2")),
    "length as a list, equal": Raw(_length(b"%d, %d" % (N, N))),
    "length as a list, different": Raw(_length(b"%d, 2" % N)),
    "negative length": Raw(_length(b"-%d" % N)),
    "plus before the length": Raw(_length(b"+%d" % N)),
    "blank in the length": Raw(_length(b"%d 0" % N)),
    "hexadecimal length": Raw(_length(b"0x%x" % N)),
    "length with a point": Raw(_length(b"%d.0" % N)),
    "length with an underscore": Raw(_length(b"1_%d" % (N - 100))),
    "empty length": Raw(_length(b"")),
    "length in Arabic digits": Raw(_length("١٢٣".encode())),
    "huge length": Raw(_length(b"9" * 40)),
    "length of 5,000 digits": Raw(_length(b"0" * 5000 + b"%d" % N)),
    "length too long by one": Raw(_length(b"%d" % (N + 1))),
    "length too short by one": Raw(_length(b"%d" % (N - 1))),
    "length beyond the limit": Raw(_length(b"65537")),
    "length and chunks": Raw(
        head(b"Content-Length: %d" % N, b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (N, PAID)
    ),
    "chunks and length": Raw(head(b"Transfer-Encoding: chunked", b"Content-Length: %d" % N) + PAID),
    "blank before the colon": Raw(head(b"Content-Length : %d" % N) + PAID),
    "blank before the name": Raw(head(b"A: b", b" Content-Length: %d" % N) + PAID),
    "no colon": Raw(head(b"Content-Length %d" % N) + PAID),
    "no name": Raw(head(b": a", b"Content-Length: %d" % N) + PAID),
    "name with a blank": Raw(sized(PAID, b"X Y: a")),
    "name that is not ASCII": Raw(sized(PAID, "X-é: a".encode())),
    "long header": Raw(sized(PAID, b"X-Long: " + b"a" * 30_000), P),
    "header of 9,000 bytes": Raw(sized(PAID, b"X-Long: " + b"a" * 9_000), P),
    "longest head": Raw(sized(PAID, b"X-Long: " + b"a" * (65_536 - len(sized(b"", b"X-Long: ")) - 2)), P),
    "head longer by one": Raw(sized(PAID, b"X-Long: " + b"a" * (65_537 - len(sized(b"", b"X-Long: ")) - 2))),
    "header beyond the limit": Raw(sized(PAID, b"X-Long: " + b"a" * 65_536)),
    "many headers": Raw(sized(PAID, *[b"X-%d: a" % n for n in range(200)]), P),
    "too many headers": Raw(sized(PAID, *[b"X-%d: a" % n for n in range(2000)])),
    "folded line": Raw(sized(PAID, b"X-Fold: a\r\n b")),
    "folded length": Raw(head(b"Content-Length:\r\n %d" % N) + PAID),
    "line feeds alone": Raw(sized(PAID).replace(b"\r\n", b"\n")),
    "one line feed alone": Raw(head(b"A: b\nContent-Length: %d" % N) + PAID),
    "one carriage return alone": Raw(sized(PAID, b"A: b\rC: d")),
    "zero in a header": Raw(sized(PAID, b"A: b\0c")),
    "escape in a header": Raw(sized(PAID, b"A: \x1b]0;paid\x07")),
    "Latin letters in a header": Raw(sized(PAID, b"A: \xe9"), P),
    "empty header": Raw(sized(PAID, b"X-Empty:"), P),
    "only a colon and folds": Raw(sized(PAID, b"X-Empty: \r\n\t")),
}
_START = {
    "no reason": Raw(sized(PAID, start=b"HTTP/1.1 200 "), P),
    "no reason, no blank": Raw(sized(PAID, start=b"HTTP/1.1 200"), P),
    "reason that is not ASCII": Raw(sized(PAID, start="HTTP/1.1 200 成功".encode()), P),
    "control in the reason": Raw(sized(PAID, start=b"HTTP/1.1 200 \x1b[2J")),
    "HTTP/1.0": Raw(sized(PAID, start=b"HTTP/1.0 200 OK"), P),
    "HTTP/1.0 until it closes": Raw(head(start=b"HTTP/1.0 200 OK") + PAID, P),
    "HTTP/1.0 that keeps": Raw(sized(PAID, b"Connection: keep-alive", start=b"HTTP/1.0 200 OK"), P),
    "version of four digits": Raw(sized(PAID, start=b"HTTP/01.1 200 OK")),
    "HTTP/1.10": Raw(sized(PAID, start=b"HTTP/1.10 200 OK")),
    "plus before the status": Raw(sized(PAID, start=b"HTTP/1.1 +200 OK")),
    "deleted character in the reason": Raw(sized(PAID, start=b"HTTP/1.1 200 O\x7fK")),
    "opening of HTTP/2": Raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "frame of HTTP/2": Raw(b"\0\0\x06\x04" + bytes(11)),
    "HTTP/1.0 chunks": Raw(chunks(PAID).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "HTTP/0.9": Raw(PAID),
    "HTTP/2": Raw(sized(PAID, start=b"HTTP/2 200 OK")),
    "HTTP/1.2": Raw(sized(PAID, start=b"HTTP/1.2 200 OK")),
    "small letters of HTTP": Raw(sized(PAID, start=b"http/1.1 200 OK")),
    "another protocol": Raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "ICY": Raw(sized(PAID, start=b"ICY 200 OK")),
    "two blanks": Raw(sized(PAID, start=b"HTTP/1.1  200 OK")),
    "tab after the version": Raw(sized(PAID, start=b"HTTP/1.1\t200 OK")),
    "status of two digits": Raw(sized(PAID, start=b"HTTP/1.1 20 OK")),
    "status of four digits": Raw(sized(PAID, start=b"HTTP/1.1 2000 OK")),
    "status 099": Raw(sized(PAID, start=b"HTTP/1.1 099 OK")),
    "status 600": Raw(sized(PAID, start=b"HTTP/1.1 600 OK")),
    "status 999": Raw(sized(PAID, start=b"HTTP/1.1 999 OK")),
    "status in words": Raw(sized(PAID, start=b"HTTP/1.1 OK")),
    "empty line before": Raw(b"\r\n" + sized(PAID)),
    "blank before": Raw(b" " + sized(PAID)),
    "byte order mark before": Raw(b"\xef\xbb\xbf" + sized(PAID)),
    "nothing": Raw(b""),
    "only a status line": Raw(b"HTTP/1.1 200 OK\r\n"),
    "only a head": Raw(head(b"Content-Length: 2")),
    "status 201": Raw(sized(PAID, start=b"HTTP/1.1 201 Created"), P),
    "status 204": Raw(head(start=b"HTTP/1.1 204 No Content")),
    "status 204 with a body": Raw(sized(PAID, start=b"HTTP/1.1 204 No Content")),
    "status 204 with chunks": Raw(chunks(PAID).replace(b"200 OK", b"204 No")),
    "status 205 with a body": Raw(sized(PAID, start=b"HTTP/1.1 205 Reset"), P),
    "status 206 and paid": Raw(sized(PAID, b"Content-Range: bytes 0-1/2", start=b"HTTP/1.1 206 Partial"), P),
    "status 304 with a body": Raw(sized(PAID, start=b"HTTP/1.1 304 Not Modified")),
    "status 400 and a refusal": Raw(sized(REFUSED, start=b"HTTP/1.1 400 Bad"), Verdict.REFUSED),
    "status 400 and paid": Raw(sized(PAID, start=b"HTTP/1.1 400 Bad")),
    "status 429": Raw(sized(b"slow down", start=b"HTTP/1.1 429 Slow"), Verdict.RATE_LIMITED),
    "status 500 and a refusal": Raw(sized(REFUSED, start=b"HTTP/1.1 500 No")),
    "redirect": Raw(sized(PAID, b"Location: http://127.0.0.1:9/", start=b"HTTP/1.1 302 Found")),
    "redirect 308": Raw(sized(PAID, b"Location: /", start=b"HTTP/1.1 308 Moved")),
    "continue": Raw(head(start=b"HTTP/1.1 100 Continue") + sized(PAID), P),
    "early hints": Raw(head(b"Link: </a>", start=b"HTTP/1.1 103 Early Hints") * 3 + sized(PAID), P),
    "continue in HTTP/1.0": Raw(head(start=b"HTTP/1.0 100 Continue") + sized(PAID), P),
    "continue that closes": Raw(head(b"Connection: close", start=b"HTTP/1.1 100 Continue") + sized(PAID), P),
    "most interim replies": Raw(head(start=b"HTTP/1.1 102 Processing") * 16 + sized(PAID), P),
    "more interim replies": Raw(head(start=b"HTTP/1.1 103 Early Hints") * 17 + sized(PAID)),
    "switching behind continue": Raw(
        head(start=b"HTTP/1.1 100 Continue") + head(b"Upgrade: h2c", start=b"HTTP/1.1 101 Switching") + sized(PAID)
    ),
    "continue with a length": Raw(head(b"Content-Length: 2", start=b"HTTP/1.1 100 Continue") + sized(PAID)),
    "continue with chunks": Raw(head(b"Transfer-Encoding: chunked", start=b"HTTP/1.1 100 Continue") + sized(PAID)),
    "only continue": Raw(head(start=b"HTTP/1.1 100 Continue")),
    "endless continue": Raw(head(start=b"HTTP/1.1 100 Continue") * 3000 + sized(PAID)),
    "switching": Raw(head(b"Upgrade: h2c", b"Connection: upgrade", start=b"HTTP/1.1 101 Switching") + sized(PAID)),
    "switching, then nothing": Raw(head(b"Upgrade: h2c", start=b"HTTP/1.1 101 Switching")),
    "closes": Raw(sized(PAID, b"Connection: close"), P),
    "until it closes": Raw(head(b"Connection: close") + PAID, P),
    "until it closes, cut": Raw(head(b"Connection: close") + _A),
    "unknown upgrade": Raw(sized(PAID, b"Upgrade: h2c", b"Connection: Upgrade"), P),
    "closes and does not": Raw(sized(PAID, b"Connection: keep-alive", b"Connection: close"), P),
    "refusal before paid": Raw(sized(REFUSED) + sized(PAID), Verdict.REFUSED),
    "rests for ever": Raw(sized(PAID, b"Keep-Alive: timeout=" + b"9" * 5000), P),
    "flood of cookies": Raw(sized(PAID, *[b"Set-Cookie: a=b"] * 1000)),
    "status 429, cut": Raw(sized(PAID, start=b"HTTP/1.1 429 Slow")[:-1]),
    "status 429 and paid": Raw(sized(PAID, start=b"HTTP/1.1 429 Slow")),
    "two replies": Raw(sized(PAID) + sized(REFUSED), P),
    "something behind": Raw(sized(PAID) + b"\0\r\n", P),
}
_CHUNKED = {
    "chunks": Raw(chunks(_A, _B), P),
    "one byte each": Raw(chunks(*[PAID[at : at + 1] for at in range(N)]), P),
    "capital hexadecimal": Raw(head(b"Transfer-Encoding: chunked") + b"%X\r\n%b\r\n0\r\n\r\n" % (N, PAID), P),
    "zeros before the size": Raw(head(b"Transfer-Encoding: chunked") + b"000%x\r\n%b\r\n000\r\n\r\n" % (N, PAID), P),
    "capital coding": Raw(chunks(PAID).replace(b"chunked", b"CHUNKED"), P),
    "extensions": Raw(head(b"Transfer-Encoding: chunked") + b"%x;a=b;c\r\n%b\r\n0;d\r\n\r\n" % (N, PAID), P),
    "endless extension": Raw(
        head(b"Transfer-Encoding: chunked") + b"%x;%b\r\n%b\r\n0\r\n\r\n" % (N, b"a" * 70_000, PAID)
    ),
    "line feed in an extension": Raw(head(b"Transfer-Encoding: chunked") + b"%x;\n\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "trailers": Raw(chunks(PAID, last=b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"), P),
    "length in the trailers": Raw(chunks(PAID, last=b"0\r\nContent-Length: 2\r\n\r\n"), P),
    "broken trailer": Raw(chunks(PAID, last=b"0\r\nno colon\r\n\r\n")),
    "endless trailers": Raw(chunks(PAID, last=b"0\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n")),
    "no last chunk": Raw(chunks(PAID, last=b"")),
    "no end behind the last chunk": Raw(chunks(PAID, last=b"0\r\n")),
    "broken end of a chunk": Raw(head(b"Transfer-Encoding: chunked") + b"%x\r\n%bXY0\r\n\r\n" % (N, PAID)),
    "no end of a chunk": Raw(head(b"Transfer-Encoding: chunked") + b"%x\r\n%b0\r\n\r\n" % (N, PAID)),
    "line feed behind a chunk": Raw(head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\n0\r\n\r\n" % (N, PAID)),
    "line feed behind a size": Raw(head(b"Transfer-Encoding: chunked") + b"%x\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "size too short": Raw(head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (N - 1, PAID)),
    "size too long": Raw(head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (N + 1, PAID)),
    "size with 0x": Raw(head(b"Transfer-Encoding: chunked") + b"0x%x\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "negative size": Raw(head(b"Transfer-Encoding: chunked") + b"-1\r\n\r\n0\r\n\r\n"),
    "no size": Raw(head(b"Transfer-Encoding: chunked") + b"\r\n%b\r\n0\r\n\r\n" % PAID),
    "blank before an extension": Raw(head(b"Transfer-Encoding: chunked") + b"%x ;a\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "tab before the last extension": Raw(chunks(PAID, last=b"0\t;a\r\n\r\n")),
    "plus before the size": Raw(head(b"Transfer-Encoding: chunked") + b"+%x\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "underscore in the size": Raw(head(b"Transfer-Encoding: chunked") + b"0_%x\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "size in full-width digits": Raw(
        head(b"Transfer-Encoding: chunked") + "\uff16".encode() + b"e\r\n%b\r\n0\r\n\r\n" % PAID
    ),
    "size of 17 digits": Raw(head(b"Transfer-Encoding: chunked") + b"%017x\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "most chunks": Raw(chunks(*[b" "] * 2046, PAID), P),
    "more chunks": Raw(chunks(*[b" "] * 2047, PAID)),
    "most trailers": Raw(chunks(PAID, last=b"0\r\n" + b"X: 1\r\n" * 256 + b"\r\n"), P),
    "more trailers": Raw(chunks(PAID, last=b"0\r\n" + b"X: 1\r\n" * 257 + b"\r\n")),
    "coding in the trailers": Raw(chunks(PAID, last=b"0\r\nContent-Encoding: gzip\r\n\r\n"), P),
    "folded trailer": Raw(chunks(PAID, last=b"0\r\nX: a\r\n b\r\n\r\n")),
    "blank behind the size": Raw(head(b"Transfer-Encoding: chunked") + b"%x  \r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "huge size": Raw(head(b"Transfer-Encoding: chunked") + b"f" * 30 + b"\r\n" + PAID),
    "size that wraps": Raw(head(b"Transfer-Encoding: chunked") + b"10000000000000%02x\r\n%b\r\n0\r\n\r\n" % (N, PAID)),
    "gzip, chunked": Raw(chunks(gzip.compress(PAID)).replace(b": chunked", b": gzip, chunked")),
    "chunked twice": Raw(chunks(PAID, lines=(b"Transfer-Encoding: chunked",))),
    "identity": Raw(head(b"Transfer-Encoding: identity", b"Content-Length: %d" % N) + PAID),
    "identity alone": Raw(head(b"Transfer-Encoding: identity") + PAID),
    "chunked, chunked": Raw(chunks(PAID).replace(b": chunked", b": chunked, chunked")),
    "identity, chunked": Raw(chunks(PAID).replace(b": chunked", b": identity, chunked")),
    "chunked with a parameter": Raw(chunks(PAID).replace(b": chunked", b": chunked;q=1")),
    "chunked and an empty coding": Raw(chunks(PAID).replace(b": chunked", b": chunked,")),
    "empty transfer coding": Raw(chunks(PAID).replace(b": chunked", b": ")),
    "chunked and a hard blank": Raw(chunks(PAID).replace(b": chunked", b": chunked\xa0")),
    "chunked spelt wrong": Raw(chunks(PAID).replace(b": chunked", b": xchunked")),
    "chunked with a tab inside": Raw(chunks(PAID).replace(b": chunked", b": chun\tked")),
}
_PACKED = {
    "gzip": Raw(packed(gzip.compress(PAID), b"gzip"), P),
    "x-gzip": Raw(packed(gzip.compress(PAID), b"X-GZIP"), P),
    "gzip in chunks": Raw(chunks(gzip.compress(PAID), lines=(b"Content-Encoding: gzip",)), P),
    "gzip without its checksum": Raw(packed(gzip.compress(PAID)[:-8], b"gzip")),
    "gzip with a wrong checksum": Raw(packed(gzip.compress(PAID)[:-8] + bytes(8), b"gzip")),
    "gzip cut": Raw(packed(gzip.compress(PAID)[:-20], b"gzip")),
    "gzip with something behind": Raw(packed(gzip.compress(PAID) + b"\0", b"gzip")),
    "gzip of two members": Raw(packed(gzip.compress(_A) + gzip.compress(_B), b"gzip")),
    "gzip twice": Raw(packed(gzip.compress(gzip.compress(PAID)), b"gzip, gzip")),
    "gzip in two headers": Raw(sized(gzip.compress(PAID), b"Content-Encoding: gzip", b"Content-Encoding: gzip")),
    "gzip that is none": Raw(packed(PAID, b"gzip")),
    "gzip behind a hard blank": Raw(packed(gzip.compress(PAID), b"\xa0gzip")),
    "gzip with a parameter": Raw(packed(gzip.compress(PAID), b"gzip;q=1")),
    "gzip and an empty coding": Raw(packed(gzip.compress(PAID), b"gzip,")),
    "gzip without an end": Raw(packed(_flushed(PAID), b"gzip")),
    "gzip with its optional fields": Raw(
        packed(b"\x1f\x8b\x08\x08" + bytes(6) + b"name\0" + gzip.compress(PAID)[10:], b"gzip"), P
    ),
    "gzip as deflate": Raw(packed(gzip.compress(PAID), b"deflate")),
    "deflate as gzip": Raw(packed(zlib.compress(PAID), b"gzip")),
    "deflate that swells": Raw(packed(bare(PAID + b" " * 10_000_000), b"deflate")),
    "gzip until it closes": Raw(head(b"Content-Encoding: gzip") + gzip.compress(PAID), P),
    "gzip until it closes, cut": Raw(head(b"Content-Encoding: gzip") + gzip.compress(PAID)[:-1]),
    "longest unpacked body": Raw(packed(gzip.compress(PAID.ljust(65_536)), b"gzip"), P),
    "unpacked body longer by one": Raw(packed(gzip.compress(PAID.ljust(65_537)), b"gzip")),
    "gzip without a header": Raw(sized(gzip.compress(PAID))),
    "gzip that swells": Raw(packed(gzip.compress(PAID + b" " * 10_000_000), b"gzip")),
    "gzip of gigabytes, twice": Raw(packed(gzip.compress(gzip.compress(b" " * 50_000_000)), b"gzip, gzip")),
    "empty gzip": Raw(packed(b"", b"gzip")),
    "deflate": Raw(packed(zlib.compress(PAID), b"deflate"), P),
    "deflate, bare": Raw(packed(bare(PAID), b"deflate"), P),
    "deflate with a wrong checksum": Raw(packed(zlib.compress(PAID)[:-4] + bytes(4), b"deflate")),
    "deflate with something behind": Raw(packed(zlib.compress(PAID) + b"\0", b"deflate")),
    "identity coding": Raw(packed(PAID, b"identity"), P),
    "no coding": Raw(packed(PAID, b""), P),
    "br": Raw(packed(PAID, b"br")),
    "zstd": Raw(packed(PAID, b"zstd")),
    "compress": Raw(packed(PAID, b"compress")),
    "unknown coding": Raw(packed(PAID, b"rot13")),
    "identity, gzip": Raw(packed(gzip.compress(PAID), b"identity, gzip")),
}
_TEXT = {
    "byte order mark": Raw(sized(b"\xef\xbb\xbf" + PAID), P),
    "two byte order marks": Raw(sized(b"\xef\xbb\xbf" * 2 + PAID)),
    "UTF-16": Raw(text(PAID.decode(), "utf-16")),
    "UTF-16 without a mark": Raw(text(PAID.decode(), "utf-16-le")),
    "UTF-32": Raw(text(PAID.decode(), "utf-32")),
    "Chinese in UTF-8": Raw(text(_SAYS % "成功"), P),
    "Chinese in GBK": Raw(text(_SAYS % "成功", "gbk")),
    "Latin-1": Raw(text(_SAYS % "é", "latin-1")),
    "charset of GBK": Raw(sized(PAID, b"Content-Type: application/json; charset=GBK"), P),
    "another content type": Raw(sized(PAID, b"Content-Type: text/html"), P),
    "no JSON": Raw(sized(b"<html>OK</html>", b"Content-Type: application/json")),
    "empty": Raw(sized(b"")),
    "null": Raw(sized(b"null")),
    "list": Raw(sized(b"[" + PAID + b"]")),
    "blanks around": Raw(sized(b" \r\n\t" + PAID + b"\n"), P),
    "two objects": Raw(sized(PAID + PAID)),
    "zero behind": Raw(sized(PAID + b"\0")),
    "number as a number": Raw(sized(PAID.replace(b'"T1"', b"1001"))),
    "number in capital letters": Raw(sized(PAID.replace(b'"T1"', b'"t1"'))),
    "number with a blank": Raw(sized(PAID.replace(b'"T1"', b'"T1 "'))),
    "code as a number": Raw(sized(PAID.replace(b'"code":"0000"', b'"code":0'))),
    "status as a number": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":0'))),
    "status null": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":null'))),
    "status in other digits": Raw(
        text(PAID.decode().replace('"status":"0000"', '"status":"\uff10\uff10\uff10\uff10"'))
    ),
    "status with a line feed": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":"0000\\n"'))),
    "status escaped": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":"\\u0030000"')), P),
    "status of a megabyte": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":"' + b"0" * 1_000_000 + b'"'))),
    "status of 50,000 digits": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":"' + b"0" * 50_000 + b'"'))),
    "code of 50,000 digits": Raw(sized(REFUSED.replace(b"60030", b"6" * 50_000))),
    "status twice": Raw(sized(PAID.replace(b'"status":"0000"', b'"status":"60030","status":"0000"'))),
    "code twice": Raw(sized(PAID.replace(b'"code":"0000"', b'"code":"60030","code":"0000"'))),
    "code twice, escaped": Raw(sized(PAID.replace(b'"code":"0000"', b'"code":"60030","\\u0063ode":"0000"'))),
    "success contradicts": Raw(sized(PAID.replace(b"true", b"false"))),
    "NaN": Raw(sized(PAID.replace(b"true", b"NaN"))),
    "infinite": Raw(sized(PAID.replace(b'"P-1"', b"Infinity"))),
    "number beyond all bounds": Raw(sized(PAID.replace(b'"P-1"', b"1e99999999999999999999"))),
    "huge integer": Raw(sized(PAID.replace(b'"P-1"', b"9" * 5000))),
    "deep": Raw(sized(PAID.replace(b'"P-1"', b"[" * 20_000 + b"]" * 20_000))),
    "half a character": Raw(sized(PAID.replace(b"P-1", b"\\ud800"))),
    "half a character in a name": Raw(sized(PAID.replace(b'"msg"', b'"\\udfff":1,"msg"'))),
    "two halves in the wrong order": Raw(sized(PAID.replace(b"P-1", b"\\ude00\\ud83d"))),
    "whole of two halves": Raw(sized(PAID.replace(b'"msg":"', b'"msg":"\\ud83d\\ude00')), P),
    "half a character as UTF-8": Raw(sized(PAID.replace(b"success", b"\xed\xa0\x80", 1))),
    "UTF-8 that is too long": Raw(sized(PAID.replace(b"success", b"\xc0\xaf", 1))),
    "UTF-7": Raw(text(_SAYS % "+bRhr9Q-"), P),
    "something twice inside": Raw(sized(PAID.replace(b'"P-1"', b'"P-1","a":{"b":1,"b":1}'))),
    "names with a zero or a blank": Raw(sized(PAID.replace(b'{"code"', b'{"code ":"9","code\\u0000":"9","code"')), P),
    "small number beyond all bounds": Raw(sized(PAID.replace(b'"P-1"', b'"P-1","a":1e-99999999999999999999'))),
    "comment": Raw(sized(b"/**/" + PAID)),
    "comma too many": Raw(sized(PAID[:-1] + b",}")),
    "call around": Raw(sized(b"f(" + PAID + b")")),
    "hard blank before": Raw(sized(b"\xc2\xa0" + PAID)),
    "refusal with an order": Raw(sized(REFUSED.replace(b"null", b'{"platFormTradeNo":"P-1"}'))),
    "refusal and an order in process": Raw(sized(REFUSED.replace(b"null", b'{"status":"0015"}'))),
    "line feed in a text": Raw(sized(PAID.replace(b"success", b"a\nb", 1))),
    "data as text": Raw(sized(PAID[: PAID.index(b'{"tradeNo')] + b'"0000"}')),
    "no data": Raw(sized(b'{"code":"0000","msg":"success","success":true}')),
    "longest body": Raw(sized(PAID + b" " * (65_536 - N)), P),
    "body longer by one": Raw(sized(PAID + b" " * (65_537 - N))),
    "longest body until it closes": Raw(head() + PAID + b" " * (65_536 - N), P),
    "longer body until it closes": Raw(head() + PAID + b" " * (65_537 - N)),
    "longer body in chunks": Raw(chunks(PAID, b" " * (65_537 - N))),
}

GROUPS: Mapping[str, Mapping[str, Raw]] = MappingProxyType(
    {"framing": _FRAMING, "start": _START, "chunked": _CHUNKED, "packed": _PACKED, "text": _TEXT}
)
REPLIES: Mapping[str, Raw] = MappingProxyType({name: raw for group in GROUPS.values() for name, raw in group.items()})
