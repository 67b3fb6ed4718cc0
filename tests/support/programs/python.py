"""``python`` as a program for the fork server: a module or a script, as if an interpreter had been started for it."""

import runpy
import sys
import warnings

PROGRAM = "tests.support.programs.python"


def main(*arguments: str) -> None:
    """Run ``[-W error] -m MODULE …`` or ``[-W error] SCRIPT …``."""
    words = list(arguments)
    if words[0] == "-W":
        warnings.simplefilter(words[1])  # type: ignore[arg-type]
        del words[:2]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
