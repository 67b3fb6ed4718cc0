"""The command line, ``paypro``."""

import gc
import signal
import sys

from paypro_async.cli.streams import hold_streams

__all__ = ["main"]

_USUAL_HANDLERS = (signal.SIG_DFL, signal.default_int_handler)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == _USUAL_HANDLERS:
        # Ended in order, like Ctrl-C, also where no command waits for a signal.
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    # Nothing of what is imported is garbage, and to look for it takes an eighth of the start; a command turns it on.
    gc.disable()
    try:
        hold_streams()
        from paypro_async.cli.app import run  # noqa: PLC0415  the extra may not be installed
    except KeyboardInterrupt:
        if "--json" in sys.argv:
            print('{"exit_code": 130, "kind": "interrupted", "message": "Interrupted before anything was begun."}')  # noqa: T201
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print(f"The command line needs {error.name}: pip install 'paypro-async[cli]'", file=sys.stderr)  # noqa: T201  click is what is missing
        sys.exit(1)
    sys.exit(run())
