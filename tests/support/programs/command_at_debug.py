"""``paypro`` in a process in which every library logs everything."""

import logging
import sys

from paypro_async.cli import main as paypro

PROGRAM = "tests.support.programs.command_at_debug"


def main(*arguments: str) -> None:
    """Run one command; it ends the process with its exit code."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    sys.argv = ["paypro", *arguments]
    paypro()
