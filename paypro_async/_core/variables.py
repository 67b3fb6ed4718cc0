"""Every variable of the environment that has a meaning, with its meaning: the one list of them.

``settings.py`` reads the client's from here, ``paypro doctor`` knows a misspelt name by it, and the page of settings is
made from it.
"""

from collections.abc import Sequence
from enum import StrEnum

from attrs import fields_dict, frozen

from paypro_async._core.platform_codes import Codes

__all__ = ["ALL", "Use", "Variable"]


class Use(StrEnum):
    """Who reads a variable."""

    ACCOUNT = "The account"
    PAYOUTS = "Every payout"
    LEDGER = "The ledger"
    TIMES = "Times"
    NETWORK = "The network"
    CALLBACKS = "Callbacks"
    PLATFORM = "How this platform answers"
    COMMANDS = "The command line alone"


@frozen(kw_only=True)
class Variable:
    """A variable of the environment.

    Args:
        name: As it is set.
        use: What it belongs to.
        meaning: What it says, in a sentence, in Markdown.
        argument: The argument of ``PayProClient`` that it stands for; None if there is none.
        reads: Whether the client takes its text as that argument; else something is made of it.
        default: What holds without it, in words; empty if nothing does.
        unit: What a number counts; empty for what is no number.
    """

    name: str
    use: Use
    meaning: str
    argument: str | None = None
    reads: bool = True
    default: str = ""
    unit: str = ""


def _of(use: Use, name: str, meaning: str, argument: str | None = None, default: str = "") -> Variable:
    return Variable(name=name, use=use, meaning=meaning, argument=argument, default=default)


def _made(use: Use, name: str, meaning: str, argument: str, default: str = "") -> Variable:
    return Variable(name=name, use=use, meaning=meaning, argument=argument, reads=False, default=default)


def _seconds(name: str, meaning: str, argument: str, default: str) -> Variable:
    return Variable(
        name=name, use=Use.TIMES, meaning=meaning, argument=argument, default=default, unit="seconds, above 0"
    )


def _codes() -> list[Variable]:
    # docs: SouthKorea/errorcode, which lists some codes and not all
    what = {
        "refused": "a payout was refused for good",
        "duplicate": "the trade number was used before",
        "no_such_order": "a query found no such order; `paypro doctor` finds these out",
        "credentials": "the platform refuses whoever asks",
        "insufficient_funds": "the balance is too low",
        "system": "the platform itself is in trouble, which proves nothing",
    }
    return [
        _made(
            Use.PLATFORM,
            f"PAYPRO_{name.upper()}_CODES",
            f"More codes that say: {what.get(name, name.replace('_', ' '))}. Separated by commas, as in `7001,7002`.",
            "codes",
            "those that the platform's pages list",
        )
        for name, one in fields_dict(Codes).items()
        if one.init
    ]


ALL: Sequence[Variable] = (
    _of(Use.ACCOUNT, "PAYPRO_BASE_URL", "The region's URL, from PayPro.", "base_url"),
    _of(Use.ACCOUNT, "PAYPRO_MERCHANT_NO", "The merchant number, as text, with its zeros.", "merchant_no"),
    _made(Use.ACCOUNT, "PAYPRO_SECRET", "The app secret.", "signer"),
    _made(Use.ACCOUNT, "PAYPRO_SECRET_FILE", "In its place: the path of a file that holds the secret.", "signer"),
    _made(
        Use.ACCOUNT,
        "PAYPRO_SECRET_POSITION",
        "`suffix` or `prefix`: where the secret stands in the signed text. PayPro does not say which; `paypro doctor` "
        "tries both and says which.",
        "signer",
        "`suffix`",
    ),
    _of(Use.ACCOUNT, "PAYPRO_REGION", "The country.", "region", "`india`"),
    _of(
        Use.ACCOUNT,
        "PAYPRO_ENVIRONMENT",
        "A name for the platform that outlives its address. An address of this machine (a sandbox, a tunnel) needs "
        "one, since it is else called `local`, whatever is behind it.",
        "environment",
        "the host of the URL",
    ),
    _of(
        Use.PAYOUTS, "PAYPRO_IP_ADDRESS", "The payer's IP address, for payouts without one of their own.", "ip_address"
    ),
    _of(Use.PAYOUTS, "PAYPRO_NOTIFY_URL", "The callback URL, for payouts without one of their own.", "notify_url"),
    _of(
        Use.LEDGER,
        "PAYPRO_LEDGER",
        "Where payouts are remembered: `sqlite:///payouts.db`, or just `payouts.db`, for the processes of one machine; "
        "`postgresql://…` for many machines.",
        "ledger",
    ),
    _of(
        Use.LEDGER,
        "PAYPRO_LEDGER_MARK",
        "A folder on another disk, where it is noted how far each ledger has come: a disk that was rolled back, or is "
        "not mounted, is then noticed.",
        None,
        "beside the ledger",
    ),
    _made(
        Use.LEDGER,
        "PAYPRO_LEDGER_KEY",
        "What [personal values in the ledger are encrypted](../encryption.md) with: a key from `paypro ledger key`; of "
        "several, with commas between them, the first one writes.",
        "ledger_key",
    ),
    _made(
        Use.LEDGER,
        "PAYPRO_LEDGER_KEY_FILE",
        "In its place: the path of a file with the key, or with several, one in each line.",
        "ledger_key",
    ),
    _seconds("PAYPRO_TIMEOUT", "For one call in all.", "timeout", "30"),
    _seconds(
        "PAYPRO_SETTLE_AFTER",
        'The settle window: after an attempt, "no such order" proves nothing for so long.',
        "settle_after",
        "60",
    ),
    _seconds("PAYPRO_REQUEST_TIMEOUT", "For one exchange with the platform.", "request_timeout", "20"),
    _of(
        Use.NETWORK,
        "PAYPRO_PROXY",
        "The URL of a proxy. `NO_PROXY` names hosts, networks and ports that need none.",
        "proxy",
        "`HTTPS_PROXY` or `ALL_PROXY`",
    ),
    _of(
        Use.NETWORK,
        "PAYPRO_TRANSPORT",
        "`httpx`, `aiohttp` (somewhat faster; extra `[aiohttp]`) or `httpx2` (extra `[httpx2]`). `paypro batch` uses "
        "`aiohttp` unless this is set.",
        "transport",
        "`httpx`",
    ),
    _made(
        Use.CALLBACKS,
        "PAYPRO_CALLBACK_SECRET",
        "One more secret that is believed in callbacks, while the app secret is changed.",
        "callback_signers",
    ),
    _made(
        Use.CALLBACKS,
        "PAYPRO_CALLBACK_SECRET_FILE",
        "In its place: the path of a file that holds that secret.",
        "callback_signers",
    ),
    _of(
        Use.CALLBACKS,
        "PAYPRO_UNKNOWN_CALLBACKS",
        "`accept` answers a callback `OK` whose payout this ledger does not hold; `refuse` answers 404.",
        "unknown_callbacks",
        "`accept`",
    ),
    _of(
        Use.PLATFORM,
        "PAYPRO_CHECK_ECHO",
        "`no` if PayPro repeats remarks otherwise than they were sent; the client says so if it does.",
        "check_echo",
        "`yes`",
    ),
    *_codes(),
    Variable(
        name="PAYPRO_MAX_AMOUNT",
        use=Use.COMMANDS,
        meaning="The largest payout that a file may have.",
        default="no limit",
        unit="rupees",
    ),
    Variable(
        name="PAYPRO_MAX_TOTAL",
        use=Use.COMMANDS,
        meaning="The largest sum that a file may have.",
        default="no limit",
        unit="rupees",
    ),
    _of(Use.COMMANDS, "PAYPRO_REQUIRE_APPROVAL", "`1`: a second person must approve each plan before it is paid."),
    _of(Use.COMMANDS, "PAYPRO_APPROVERS_FILE", "The path of a file that names who may approve, with their secrets."),
    _of(Use.COMMANDS, "PAYPRO_APPROVAL_SECRET", "The secret of the person who approves, for `paypro approve`."),
    _of(Use.COMMANDS, "PAYPRO_APPROVAL_SECRET_FILE", "In its place: the path of a file that holds that secret."),
    _of(
        Use.COMMANDS,
        "PAYPRO_LOG",
        "`debug`, `info`, `warning`, …: tells on standard error what is done, one line each. A program sets "
        '`logging.getLogger("paypro_async")` instead.',
        None,
        "nothing is logged",
    ),
    _of(
        Use.COMMANDS,
        "PAYPRO_OPENTELEMETRY",
        "`yes`: traces and metrics for OpenTelemetry. Or names of what spans shall hold beside, as in "
        "`trade_no,amount`.",
        None,
        "`no`",
    ),
    _of(
        Use.COMMANDS,
        "PAYPRO_QUEUE",
        "The name of the workers' queue, of `paypro worker` and `--workers`.",
        None,
        "`paypro`",
    ),
)
"""Each of them, in the order in which a reader meets them."""
