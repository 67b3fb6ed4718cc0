"""What the kernel knows of a socket."""

import select
import socket
from contextlib import suppress
from enum import Enum

__all__ = ["Found", "is_readable", "look_at", "shut_down"]

_CLOSED_THERE: int = getattr(select, "POLLRDHUP", 0)


class Found(Enum):
    """What a look at a resting connection finds."""

    QUIET = "open, and nothing has come"
    CLOSED = "the platform has closed it"
    SPOILED = "something came that answers no request, or it was given up here"


def is_readable(sock: socket.socket) -> bool:
    """Whether bytes, or the end of the connection, wait to be read."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def look_at(sock: socket.socket) -> Found:
    """What has come on a socket that nobody reads."""
    if sock.fileno() < 0:
        return Found.CLOSED
    if not hasattr(select, "poll"):  # Windows
        return Found.CLOSED if select.select([sock], [], [], 0)[0] else Found.QUIET
    poll = select.poll()
    poll.register(sock, select.POLLIN | _CLOSED_THERE)
    events = poll.poll(0)
    if not events:
        return Found.QUIET
    # Where the system does not tell an end from bytes, it is most likely an end.
    ended = events[0][1] & ~select.POLLIN or not _CLOSED_THERE
    return Found.CLOSED if ended else Found.SPOILED


def shut_down(sock: socket.socket) -> None:
    """Let nothing more pass in either direction. The socket stays open; one that is closed is left alone."""
    if (descriptor := sock.fileno()) < 0:
        return
    # By its number, for what uvloop calls a socket cannot do this. A copy of it would fail where no file is left.
    same = socket.socket(fileno=descriptor)
    try:
        with suppress(OSError):  # gone already
            same.shutdown(socket.SHUT_RDWR)
    finally:
        same.detach()
