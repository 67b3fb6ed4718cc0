"""The command line, ``paypro``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from paypro_async.cli.app import run  # noqa: PLC0415  the extra may not be installed
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print(f"The command line needs {error.name}: pip install 'paypro-async[cli]'", file=sys.stderr)  # noqa: T201  click is what is missing
        sys.exit(1)
    sys.exit(run())
