"""What the kernel knows of a socket."""

import select
import socket

__all__ = ["is_readable"]


def is_readable(sock: socket.socket) -> bool:
    """Whether bytes, or the end of the connection, wait to be read."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
