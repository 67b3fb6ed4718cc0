"""Moves into another time namespace, as a process that is brought back from a file (CRIU), in the way that it is told.

It prints two values of JSON: what the start of the machine was called before, and what it is called then.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

from paypro_async.ledger.sql.identity import boot_id

_NEW_TIME = 0x80
_SECONDS = 5_000
_libc = ctypes.CDLL(None, use_errno=True)


def _prepare() -> None:
    """The children of this process will have a steady clock that is ahead."""
    if _libc.unshare(_NEW_TIME):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/timens_offsets").write_text(f"boottime {_SECONDS} 0\n")


def forked() -> None:
    """A child lives in the namespace that its parent made."""
    before = boot_id()
    _prepare()
    if os.fork() == 0:
        print(json.dumps([before, boot_id()]), flush=True)
        os._exit(0)
    os.wait()


def moved() -> None:
    """This very process goes on with another clock."""
    before = boot_id()
    end, hold = os.pipe()
    made, make = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(hold)
        _prepare()
        if os.fork() == 0:
            os.write(make, str(os.getpid()).encode())
            os.read(end, 1)
            os._exit(0)
        os.wait()
        os._exit(0)
    number = int(os.read(made, 20))
    namespace = os.open(f"/proc/{number}/ns/time", os.O_RDONLY)
    if _libc.setns(namespace, _NEW_TIME):
        raise OSError(ctypes.get_errno(), "setns")
    print(json.dumps([before, boot_id()]), flush=True)
    os.close(hold)
    os.waitpid(keeper, 0)


def main(way: str) -> None:
    {"forked": forked, "moved": moved}[way]()


if __name__ == "__main__":
    main(sys.argv[1])
