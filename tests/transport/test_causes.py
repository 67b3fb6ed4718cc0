"""Every error of httpx has words of its own."""

import httpx

from paypro_async.transport.httpx import CAUSES


def ends(kind: type[Exception]) -> set[type[Exception]]:
    """The classes of httpx below *kind* that are raised: those that nothing is derived from."""
    below = [one for one in kind.__subclasses__() if one.__module__.split(".")[0] == "httpx"]
    return {kind} if not below else set().union(*(ends(one) for one in below))


def test_every_error_of_httpx_has_words():
    """A class that httpx adds must be given its words, and one that it drops must go."""
    assert set(CAUSES) == ends(httpx.RequestError)


def test_words_are_words():
    """No two errors are told in the same words, and none is told in none."""
    assert all(CAUSES.values())
    assert len(set(CAUSES.values())) == len(CAUSES)
