"""The exit codes, and errors in one sentence."""

import re
import traceback
from enum import IntEnum

from paypro_async.errors import ConfigurationError, PayProError

__all__ = ["Exit", "code_of", "explain", "in_options"]

# Arguments of the client, in whose words it explains itself, that are options here.
_ARGUMENT = re.compile(
    r"\b(base_url|merchant_no|settle_after|request_timeout|max_attempts|environment(?==)|ledger(?==)|allow_plain_http"
    r"|ip_address|notify_url)\b(=True)?"
)
# A program has an argument for it; here it is a variable, and a command that finds out which one is right.
_POSITION = "the secret's position"
_POSITION_HERE = "its position (PAYPRO_SECRET_POSITION; 'paypro doctor' tries both)"
_MOSTLY_VARIABLES = ("base_url", "merchant_no", "ip_address", "notify_url")


class Exit(IntEnum):
    """What the process ends with; documented, and never changed."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_VALID = 3
    SOME_FAILED = 4
    UNKNOWN_LEFT = 5
    OVERDUE = 6
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "All is as it should be.",
    Exit.UNEXPECTED: "Something unexpected.",
    Exit.USAGE: "Wrong usage or settings.",
    Exit.NOT_VALID: "The file was refused; nothing was sent.",
    Exit.SOME_FAILED: "Some payouts failed, were not sent, or are not known.",
    Exit.UNKNOWN_LEFT: "Some outcomes are unknown, or wait for a person; run the same command again.",
    Exit.OVERDUE: "Some payouts are missing at the platform, or have been processing for too long; ask PayPro.",
    Exit.INTERRUPTED: "Interrupted; run the same command again.",
}


def code_of(error: Exception) -> Exit:
    """The exit code for an error that ends a command."""
    from paypro_async.bulk.approval import ApprovalMissingError  # noqa: PLC0415  of a room that few commands need

    if isinstance(error, ApprovalMissingError):
        return Exit.NOT_VALID
    return Exit.USAGE if isinstance(error, ConfigurationError) else Exit.UNEXPECTED


def explain(error: Exception) -> str:
    """The error for people: ours in its own sentence, others by kind and traceback: their text may quote a value."""
    if isinstance(error, ConfigurationError):
        return f"Error: {_ARGUMENT.sub(_as_option, str(error))}"
    if isinstance(error, PayProError):
        return f"Error: {in_options(str(error))}"
    if isinstance(error, OSError) and error.strerror:
        name = str(error.filename or "")
        about = f": {name if name.isprintable() else repr(name)}" if name else ""
        return f"Error: {error.strerror}{about}"
    frames = "".join(traceback.format_tb(error.__traceback__))
    return (
        f"Unexpected {type(error).__name__}. What the ledger holds is right; run the same command again to continue.\n"
        f"{frames}"
    )


def in_options(text: str) -> str:
    """A mend in the words of the command line. What else is named there may be a quotation."""
    text = text.replace(_POSITION, _POSITION_HERE).replace(", or give ssl_context=", "")
    return re.sub(r"\bbase_url\b", "PAYPRO_BASE_URL (or --base-url)", text)


def _as_option(found: re.Match[str]) -> str:
    option = f"--{found[1].replace('_', '-')}"
    # These are mostly set for a whole machine.
    return f"PAYPRO_{found[1].upper()} (or {option})" if found[1] in _MOSTLY_VARIABLES else option
