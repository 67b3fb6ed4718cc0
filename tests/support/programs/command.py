"""``paypro`` as a program for the fork server."""

import sys

from paypro_async.cli import main as paypro

PROGRAM = "tests.support.programs.command"


def main(*arguments: str) -> None:
    """Run one command; it ends the process with its exit code."""
    sys.argv = ["paypro", *arguments]
    paypro()
