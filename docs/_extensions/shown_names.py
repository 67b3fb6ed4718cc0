"""Reference pages show what users call, and nothing that they do not.

The rules:

1. A signature is shown of a function, of a method, and of a class that users make themselves (``MADE_BY_USERS``). What
   only the SDK makes, an error among it, is shown without one: it has fields to read, not arguments.
2. Many arguments, and the fields of a value, are a table: name and type, default, meaning. Keyword arguments behind
   ``**`` are told one by one.
3. The members of an enumeration are a table of the values and their meanings.
"""

import enum
import inspect
import pydoc
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.typing import restify

from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.known import OnChange
from paypro_async._core.regions import Payable
from paypro_async._core.regions.india import Payout, PayoutFields
from paypro_async._core.secret import Secret
from paypro_async._core.states import Reply
from paypro_async._core.tally import Tally
from paypro_async._core.wire import Phase
from paypro_async.batch.client import BatchClient
from paypro_async.batch.importing import Announce
from paypro_async.batch.source import Source
from paypro_async.bulk.file_source import Source as FileSource
from paypro_async.hooks.opening import AnyHook
from paypro_async.settings import ClientSettings

MADE_BY_USERS = frozenset(
    {
        "paypro_async._core.callback_body.CallbackReading",
        "paypro_async._core.platform_codes.Codes",
        "paypro_async._core.regions.india.Payout",
        "paypro_async._core.signing.HmacSha256Signer",
        "paypro_async._core.signing.Md5Signer",
        "paypro_async._core.stopping.StopRules",
        "paypro_async.bulk.apply.Disbursement",
        "paypro_async.bulk.limits.PaymentLimits",
        "paypro_async.client.PayProClient",
        "paypro_async.integrations.asgi.CallbackApp",
        "paypro_async.integrations.opentelemetry.OpenTelemetryHook",
        "paypro_async.integrations.portal.ClientPortal",
        "paypro_async.ledger.memory.MemoryLedger",
        "paypro_async.sandbox.faults.FaultPlan",
        "paypro_async.sandbox.server.Sandbox",
    }
)
"""The classes that a user's program calls; the tests look for a page or an example that does."""

_IN_A_LINE = 3
"""Arguments that a signature shows with their types; more are a table."""

_WORDS: Mapping[str, str] = {
    "client": "An open client.",
    "amount": "In major units of the currency (rupees), exact.",
    "at": "When it happened, UTC.",
    "batch_id": "The batch, by its name in the ledger.",
    "code": "The platform's code, or a short one of this package.",
    "currency": "ISO 4217, as in ``INR``.",
    "line": "The line of the file, counted from 1.",
    "merchant_no": "The merchant, as PayPro writes it.",
    "message": "The platform's words, or what is wrong, for people.",
    "platform_trade_no": "The platform's own number of the order.",
    "region": "The country, as in ``india``.",
    "row": "The row of the file, counted from 1 below the header.",
    "settings": "Instead of what the environment says.",
    "status": "What is known of it.",
    "timeout": "Seconds for this call in all, instead of the client's.",
    "max_attempts": "How often this call may send or ask, instead of the client's.",
    "trade_no": "The payout's order number, which is its idempotency key.",
    "account": "The beneficiary's account number, masked.",
    "announce": "Called with each transaction and its new shards, so that an engine is given all of them or none.",
    "app": "The engine's application.",
    "bank_code": "The IFSC of the branch.",
    "consumer": "The name under which a listener's position is remembered.",
    "error": "What the handler raised, by its class's name.",
    "fingerprint": "A hash of the content, by which the same number with other content is told.",
    "high": "The position behind its last one.",
    "idle_for": "Seconds for which nobody has taken a shard.",
    "limit": "At most so many.",
    "low": "Its first position, counted from 0.",
    "name": "The beneficiary's name, masked where it is shown.",
    "number": "Its number, counted from 1.",
    "numbers": "Their numbers.",
    "owner": "The process that it was lent to, by a random name.",
    "is_listening": "Whether the worker hears of new work at once.",
    "running": "The work that this process does now.",
    "seconds": "For so long.",
    "source": "The path of the file, or the file itself, open for reading bytes.",
    "reading": "How the file is read.",
    "why": "In a few words.",
    "utr": "The bank's number of the transfer.",
}
"""What a name means everywhere, so that not every docstring has to say it."""

_TYPES: Sequence[tuple[Any, str]] = (
    (ClientSettings, "any argument of :class:`~paypro_async.PayProClient`"),
    (inspect.Parameter.empty, "any"),
    (Any, "any"),
    (type(None), "None"),
    (BatchClient, ":class:`~paypro_async.PayProClient`"),
    (Intent, "the payout that waits"),
    (Phase, "how far the attempt got, in a word"),
    (Reply, "what the attempt was answered, in a word"),
    (Secret[str], "secret"),
    (OnChange, "``async def`` function of a :class:`~paypro_async.PayoutChange`"),
    (AnyHook, "function of an event"),
    (Payable, ":class:`~paypro_async.Payout`, or a mapping of its fields"),
    (Source, "iterable or async iterable of :class:`~paypro_async.Payout` or mappings; or a data frame"),
    (FileSource, "path, or a binary file"),
    (Announce, "function of a connection and the shards"),
)
"""Types that users know by other words."""


_BORROWED: Mapping[str, Sequence[str]] = {
    "paypro_async.bulk.apply.BatchSettings": ("paypro_async.client.PayProClient.batch_payout",),
    "paypro_async.bulk.steps.PayingOptions": (
        "paypro_async.client.PayProClient.batch_payout",
        "paypro_async.bulk.apply.Disbursement",
        "paypro_async.bulk.apply.Disbursement.look_back",
        "paypro_async.bulk.apply.Disbursement.pay",
    ),
    "paypro_async.bulk.steps.ReadingOptions": ("paypro_async.bulk.apply.Disbursement",),
    "paypro_async._core.events.Reconciled": ("paypro_async.tracking.reconcile_report.ReconcileReport",),
    "paypro_async.integrations.procrastinate.PayoutTasks": (
        "paypro_async.integrations.procrastinate.add_payout_tasks",
    ),
    "paypro_async.sandbox.orders.Payee": ("paypro_async._core.regions.india.Payout",),
    "paypro_async.sandbox.platform.RuleChanges": ("paypro_async.sandbox.server.Sandbox",),
    "paypro_async.sandbox.platform.Rules": ("paypro_async.sandbox.server.Sandbox",),
}
"""Whose arguments the fields are, of those that have the same names."""


def _borrowed(thing: Any) -> dict[str, str]:
    told: dict[str, str] = {}
    for name in _BORROWED.get(f"{thing.__module__}.{thing.__qualname__}", ()):
        told |= _told_of(pydoc.locate(name))
    return told


def type_text(annotation: Any) -> str:
    """A type as the page shows it, in reStructuredText."""
    for known, text in _TYPES:
        if annotation == known:
            return text
    return _generic(typing.get_origin(annotation), typing.get_args(annotation)) or restify(annotation, mode="smart")


def _generic(origin: Any, inner: tuple[Any, ...]) -> str | None:
    """A type that is made of others; None if it is said in no other way than Python does."""
    if origin in (typing.NotRequired, typing.Required):
        return type_text(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(one) for one in inner)
    if origin is typing.Literal:
        return " or ".join(f"``{one!r}``" for one in inner)
    if origin is Tally:
        return f"counts and sums by {type_text(inner[0])}"
    if origin in (Mapping, dict) and inner:
        return f"mapping of {type_text(inner[0])} to {type_text(inner[1])}"
    if origin in (Sequence, tuple, list) and inner:
        return f"{origin.__name__.lower()} of {type_text(inner[0])}"
    return None


def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing)
    except (NameError, TypeError, AttributeError):
        return dict(getattr(thing, "__annotations__", {}))


def _is_value(thing: Any) -> bool:
    return inspect.isclass(thing) and attrs.has(thing)


def is_made_by_users(thing: type) -> bool:
    """Whether users call the class."""
    return f"{thing.__module__}.{thing.__qualname__}" in MADE_BY_USERS


def _parameters(thing: Any) -> list[inspect.Parameter]:
    signature = inspect.signature(thing)
    return [one for one in signature.parameters.values() if one.name not in ("self", "cls")]


def _expanded(thing: Any) -> list[tuple[str, Any, str]]:
    """Each argument: its name, its type, and its default as text, empty if it must be given."""
    hints = _hints(thing.__init__ if inspect.isclass(thing) else thing)
    rows: list[tuple[str, Any, str]] = []
    for one in _parameters(thing):
        told = hints.get(one.name, one.annotation)
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            keys = typing.get_args(told)[0] if typing.get_args(told) else _fields_of(thing)
            if keys is not PayoutFields:
                rows.append((one.name, keys, "…"))
                continue
            needed = PayoutFields.__required_keys__
            rows += [(name, hint, "" if name in needed else "…") for name, hint in _hints(keys).items()]
        else:
            rows.append((one.name, told, "" if one.default is one.empty else _default(one.default)))
    return rows


def _fields_of(thing: Any) -> Any:
    # An overloaded method says so at its overload alone.
    for overload in typing.get_overloads(thing):
        for one in inspect.signature(overload).parameters.values():
            if one.kind is one.VAR_KEYWORD and typing.get_args(one.annotation):
                return typing.get_args(one.annotation)[0]
    return Any


def _default(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, (tuple, dict, types.MappingProxyType)) and not value:
        return "none"
    if inspect.ismethod(value) or inspect.isfunction(value):
        return f"{value.__qualname__}"
    return str(value) if isinstance(value, enum.Enum) else repr(value)


def _values(thing: type) -> list[tuple[str, Any, str]]:
    hints = _hints(thing)
    return [
        (one.name, hints.get(one.name, one.type), "")
        for one in attrs.fields(thing)
        if one.init and not one.name.startswith("_")
    ]


_ENTRY = re.compile(r"^    ([*\w]+(?:, [*\w]+)*): (.*)$")
_SECTION = re.compile(r"^(Args|Returns|Yields|Raises|Attributes):$")


def split_arguments(lines: Sequence[str]) -> tuple[list[str], dict[str, str], list[str]]:
    """What stands before a docstring's ``Args``, the meaning of each, and what stands behind them."""
    begin = next((i for i, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    if begin == len(lines) or lines[begin] != "Args:":
        return list(lines[:begin]), {}, list(lines[begin:])
    end = next((i for i in range(begin + 1, len(lines)) if lines[i] and not lines[i].startswith(" ")), len(lines))
    told: dict[str, str] = {}
    names: list[str] = []
    for line in lines[begin + 1 : end]:
        if found := _ENTRY.match(line):
            names = [name.strip("*") for name in found[1].split(", ")]
            told |= dict.fromkeys(names, found[2])
        elif line.strip():
            told |= {name: f"{told[name]} {line.strip()}" for name in names}
    return list(lines[:begin]), told, list(lines[end:])


def rows_of(names: Sequence[tuple[str, Any, str]], told: Mapping[str, str]) -> list[tuple[list[int], str]]:
    """The rows of a table: which of *names* share one, and what it says of them."""
    rows: dict[str, tuple[list[int], str]] = {}
    for number, (name, _type, _default) in enumerate(names):
        if name in told:
            same = next((key for key in rows if told.get(key) == told[name]), None)  # "columns, sheet: …"
            rows.setdefault(same or name, ([], told[name]))[0].append(number)
            continue
        beside = next((key for key, text in told.items() if f"*{name}*" in text and key in rows), None)
        if beside is not None:
            rows[beside][0].append(number)
        else:
            rows[name] = ([number], _WORDS.get(name, ""))
    return list(rows.values())


def table(names: Sequence[tuple[str, Any, str]], told: Mapping[str, str], *, defaults: bool, title: str) -> list[str]:
    """A table of arguments or fields, in reStructuredText: two columns, so that a phone shows it whole."""
    lines = [".. list-table::", "   :class: arguments", "   :widths: 40 60", "   :header-rows: 1", ""]
    lines += [f"   * - {title}", "     - meaning"]
    for numbers, text in rows_of(names, told):
        for place, number in enumerate(numbers):
            name, kind, default = names[number]
            lines += [f"{'   * - ' if place == 0 else '       '}| **{name}**", f"       | {type_text(kind)}"]
            lines += [f"       | {_shown_default(default)}"] if defaults else []
        lines += [f"     - {text}"]
    return [*lines, ""]


def _shown_default(text: str) -> str:
    if text in ("", "none", "…"):
        return {"": "*required*", "none": "*default:* none", "…": "*optional*"}[text]
    return f"*default:* ``{text}``"


def enumeration(thing: type[enum.Enum]) -> list[str]:
    """The members of an enumeration, in reStructuredText."""
    analyzer = ModuleAnalyzer.for_module(thing.__module__)
    docs = analyzer.find_attr_docs()
    remarks = dict(re.findall(r"^    ([A-Z_0-9]+) = .*  # (.+)$", inspect.getsource(thing), re.MULTILINE))
    lines = [".. list-table::", "   :class: arguments", "   :widths: 40 60", "   :header-rows: 1", ""]
    lines += ["   * - member", "     - meaning"]
    for one in thing:
        meaning = " ".join(docs.get((thing.__qualname__, one.name), [])).strip() or remarks.get(one.name, "")
        meaning = meaning or str(getattr(one, "meaning", "") or ItemStatus.of(one).meaning)
        lines += [f"   * - | **{one.name}**", f"       | ``{one.value!r}``", f"     - {meaning}"]
    return [*lines, ""]


def _signature(
    _app: Sphinx, _what: str, _name: str, thing: Any, _options: Any, shown: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    if shown is None:
        return None
    if inspect.isclass(thing):
        if not is_made_by_users(thing):
            return "", None
    elif not inspect.isroutine(thing):
        return None
    function = inspect.unwrap(thing)
    if typing.get_overloads(function):
        ModuleAnalyzer.for_module(function.__module__).overloads.clear()  # else each is shown beside this
    try:
        rows = _expanded(thing)
    except (TypeError, ValueError):
        return None
    if len(rows) <= _IN_A_LINE and not any(one.kind is one.VAR_KEYWORD for one in _parameters(thing)):
        return None
    needed = [one.name for one in _parameters(thing) if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    return f"({', '.join([*needed, '…'])})", returns


def _docstring(_app: Sphinx, _what: str, _name: str, thing: Any, _options: Any, lines: list[str]) -> None:
    head, told, tail = split_arguments(lines)
    made = _made_table(thing, told)
    if made is not None:
        lines[:] = [*head, "", *made, "", *tail]


def _made_table(thing: Any, told: Mapping[str, str]) -> list[str] | None:
    if inspect.isclass(thing):
        told = {**_borrowed(thing), **told}
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        return enumeration(thing)
    if inspect.isclass(thing) and typing.is_typeddict(thing):
        return table([(name, hint, "") for name, hint in _hints(thing).items()], told, defaults=False, title="key")
    if inspect.isclass(thing) and not is_made_by_users(thing):
        hints = _hints(thing)
        if issubclass(thing, BaseException):
            fields = [(name, hints[name], "") for name in told if name in hints]
        else:
            fields = _values(thing) if _is_value(thing) else []
        # Of any other class the arguments are the SDK's own business, so they are left out.
        return table(fields, told, defaults=False, title="field") if fields else []
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return None
    try:
        rows = _expanded(thing)
    except (TypeError, ValueError):
        return None
    if len(rows) <= _IN_A_LINE and not any(one.kind is one.VAR_KEYWORD for one in _parameters(thing)):
        return None
    if not inspect.isclass(thing) and "fields" in told:
        told = {**_told_of(Payout), **told}
    return table(rows, told, defaults=True, title="argument")


def _told_of(thing: Any) -> dict[str, str]:
    return split_arguments(inspect.cleandoc(thing.__doc__ or "").splitlines())[1]


def _skip(_app: Sphinx, _what: str, _name: str, thing: Any, _skipped: bool, _options: Any) -> bool | None:  # noqa: FBT001  Sphinx calls it so
    # The table of the enumeration has them, and the table of the fields those.
    return True if isinstance(thing, (enum.Enum, types.MemberDescriptorType)) else None


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Sphinx calls this once."""
    hooks: Sequence[tuple[str, Callable[..., Any]]] = (
        ("autodoc-process-signature", _signature),
        ("autodoc-skip-member", _skip),
    )
    for event, hook in hooks:
        app.connect(event, hook)
    app.connect("autodoc-process-docstring", _docstring, priority=100)  # before napoleon makes lists of them
    return {"parallel_read_safe": True, "parallel_write_safe": True}
