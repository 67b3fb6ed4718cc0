"""CPU seconds of each thread of this process, for a client that has two: its event loop's and its ledger's."""

import threading
import time

__all__ = ["LEDGER", "ThreadSeconds", "thread_seconds"]

LEDGER = "paypro-ledger"
"""The name of the thread in which a ledger writes."""

ThreadSeconds = dict[str, float]
"""Seconds of CPU by name: ``whole`` of the process, ``loop`` of the calling thread, ``ledger`` of the ledger's."""


def thread_seconds() -> ThreadSeconds:
    """What they have used up to now; without ``ledger`` where there is none, or the system does not tell."""
    seconds = {"whole": time.process_time(), "loop": time.thread_time()}
    ledger = next((one.ident for one in threading.enumerate() if one.name == LEDGER), None)
    if ledger is not None and hasattr(time, "pthread_getcpuclockid"):
        seconds["ledger"] = time.clock_gettime(time.pthread_getcpuclockid(ledger))
    return seconds
