"""The group of commands, and how an error of any of them is said."""

import gc
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from paypro_async.cli.answer import Answer
from paypro_async.cli.exits import Exit, code_of, explain
from paypro_async.cli.log_output import logging_as_asked
from paypro_async.cli.output import note, say, warnings_as_notes
from paypro_async.cli.signals import hear_no_more
from paypro_async.cli.streams import failed_with

__all__ = ["paypro", "run"]


_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "paypro_async.cli.demo.command",
        "doctor": "paypro_async.cli.doctor.command",
        "template": "paypro_async.cli.template",
        "plan": "paypro_async.cli.batch.plans",
        "apply": "paypro_async.cli.batch.plans",
        "approve": "paypro_async.cli.batch.plans",
        "batch": "paypro_async.cli.batch.command",
        "report": "paypro_async.cli.report.command",
        "query": "paypro_async.cli.ask",
        "balance": "paypro_async.cli.ask",
        "status": "paypro_async.cli.batch.status_command",
        "resume": "paypro_async.cli.batch.resume",
        "worker": "paypro_async.cli.worker.command",
        "pause": "paypro_async.cli.worker.control",
        "rate": "paypro_async.cli.worker.control",
        "cancel": "paypro_async.cli.worker.control",
        "reconcile": "paypro_async.cli.reconcile",
        "ledger": "paypro_async.cli.ledger.group",
        "sandbox": "paypro_async.cli.sandbox",
        "listen": "paypro_async.cli.listen",
        "sign": "paypro_async.cli.sign",
    }
)
"""Where each command is, in the order in which a payer meets them."""


class _Commands(dict[str, click.Command]):
    """The commands by their names, each imported when it is looked at: one alone is started in half of the time."""

    def __missing__(self, name: str) -> click.Command:
        try:
            command: click.Command = getattr(import_module(_COMMANDS[name]), name)
        except ModuleNotFoundError as error:
            if error.name != "rich":
                raise
            raise click.ClickException("The command line needs rich: pip install 'paypro-async[cli]'") from None
        return command

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in _COMMANDS else default

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def items(self) -> Any:
        return [(name, self[name]) for name in self]


class _InOrder(click.Group):
    """Lists its commands as a payer meets them, not by their letters."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click calls it so
        return list(self.commands)


@click.group(
    cls=_InOrder,
    commands=_Commands(),
    no_args_is_help=True,
    invoke_without_command=True,  # for --version
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.option("--verbose", is_flag=True, help="With --version: all that a report of a bug needs, and nothing secret.")
@click.pass_context
def paypro(context: click.Context, version: bool, verbose: bool) -> None:
    """Pay out through PayPro: each payout at most once, and none ever lost.

    Settings come from the environment: PAYPRO_BASE_URL, PAYPRO_MERCHANT_NO, PAYPRO_SECRET or PAYPRO_SECRET_FILE,
    PAYPRO_LEDGER, and for payouts PAYPRO_IP_ADDRESS and PAYPRO_NOTIFY_URL. An option beats its variable. The secret has
    no option, since other users of a machine can read those. PAYPRO_LOG=debug (or info, warning) tells on standard
    error what is done, one line each, and no personal value. PAYPRO_OPENTELEMETRY=yes makes traces and metrics of it.

    New here? Run `paypro demo`. Before the first payout, run `paypro doctor`.
    """
    gc.enable()  # see main(): by now the command is imported
    if version:
        _tell_version(verbose=verbose)
        context.exit()
    if verbose or context.invoked_subcommand is None:
        raise click.UsageError("--verbose goes with --version." if verbose else "Missing command.")
    if context.obj is None:  # The group was called without run(), as a test of click's own does.
        context.obj = Answer(())
        context.call_on_close(lambda: context.obj.end(Exit.OK))


def _tell_version(*, verbose: bool) -> None:
    # Reading the metadata takes longer than most commands.
    from importlib.metadata import version  # noqa: PLC0415

    say(f"paypro, version {version('paypro-async')}")
    if verbose:
        from paypro_async.cli.doctor.versions import lines  # noqa: PLC0415  it imports the ledger

        for name, fact in lines():
            say(f"{name}: {fact}")


def run(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code.

    Args:
        arguments: By default those of this process, which then has nothing else to do and hears no signal any more.
    """
    words = sys.argv[1:] if arguments is None else arguments
    answer = Answer(words)
    ended = hear_no_more if arguments is None else _nothing
    code, message = _ended(words, answer, ended)
    ended()
    answer.end(Exit.OK if code is None else code, message)
    sys.stdout.flush()
    error = failed_with(sys.stdout)
    if error is not None and not isinstance(error, BrokenPipeError):
        note(f"Error: Standard output took not all of it: {error.strerror}.")
        # A command without an exit code of its own has done nothing but print.
        code = Exit.UNEXPECTED if code is None else code
    return code or Exit.OK


def _nothing() -> None:
    """The process goes on."""


def _ended(words: list[str], answer: Answer, ended: Callable[[], None]) -> tuple[int | None, str | None]:
    """Run one command: its exit code, if it has one, and why it ended; at once after an interrupt *ended* is called."""
    try:
        with warnings_as_notes(), logging_as_asked():
            outcome: Any = paypro.main(words, prog_name="paypro", standalone_mode=False, obj=answer)
    except click.ClickException as error:
        error.show(said := io.StringIO())
        note(said.getvalue().rstrip("\n"))
        return error.exit_code, error.format_message()
    except (click.Abort, KeyboardInterrupt):
        ended()
        note("Interrupted.")
        return Exit.INTERRUPTED, None
    except Exception as error:  # noqa: BLE001  no other caller could say it in words
        message = explain(error)
        note(message)
        return code_of(error), message.removeprefix("Error: ").partition("\n")[0]
    return (outcome if isinstance(outcome, int) else None), None
