"""Every error of the libraries has a message of its own."""

import builtins

import aiohttp
import aiohttp.http_exceptions
import httpx
import httpx2

from paypro_async.transport.causes import AIOHTTP_CAUSES, HTTPX_CAUSES


def ends(kind: type[Exception]) -> set[str]:
    """The classes of the library below *kind* that nothing is derived from: those that are raised."""
    library = kind.__module__.split(".", maxsplit=1)[0]
    below = [one for one in kind.__subclasses__() if one.__module__.split(".")[0] == library]
    return {kind.__name__} if not below else set().union(*(ends(one) for one in below))


def test_every_error_of_httpx_has_a_message():
    """A class that httpx or httpx2 adds must be given its message, and one that they drop must go."""
    assert set(HTTPX_CAUSES) == ends(httpx.RequestError) | ends(httpx2.RequestError)


def test_messages_differ():
    """No two errors of httpx have the same message, and none has none."""
    assert all(HTTPX_CAUSES.values())
    assert len(set(HTTPX_CAUSES.values())) == len(HTTPX_CAUSES)


def test_every_error_of_aiohttp_has_a_message():
    """A class that aiohttp adds must be given its message; an older aiohttp may lack some."""
    assert ends(aiohttp.ClientError) <= set(AIOHTTP_CAUSES)
    assert all(AIOHTTP_CAUSES.values())


def test_messages_of_aiohttp_belong_to_classes():
    """What has a message is a class that is there, so that none is misspelt."""
    modules = (aiohttp.client_exceptions, aiohttp.http_exceptions, builtins)
    unknown = {name for name in AIOHTTP_CAUSES if not any(hasattr(module, name) for module in modules)}
    assert unknown <= {"UploadAbortedError"}  # younger than the oldest aiohttp that is allowed
