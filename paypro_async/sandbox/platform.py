"""The platform behind the HTTP server: a request in, an answer out, and the books changed. No I/O.

Order of the checks: fault before booking, JSON, merchant, signature, what is refused to all, members, what is refused
to payouts, the remark, duplicate, balance. Then the booking, the reply, and the fault after it.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypedDict, get_args

from attrs import Attribute, evolve, field, frozen, validators

from paypro_async.sandbox import replies, validation
from paypro_async.sandbox.books import Books
from paypro_async.sandbox.control import PREFIX as CONTROL_PREFIX
from paypro_async.sandbox.faults import BEFORE_BOOKING, Decisions, Fault
from paypro_async.sandbox.journal import RequestRecord
from paypro_async.sandbox.messages import Answer, Delivery, Request
from paypro_async.sandbox.orders import Instruction, message_of
from paypro_async.sandbox.remarks import Kind, Wish, Wishes, read_rule, read_wishes
from paypro_async.sandbox.replies import UNKNOWN_ORDERS, Echo, OrderNumberName, Reply
from paypro_async.sandbox.signature import SecretPosition, is_signed, java_text
from paypro_async.sandbox.validation import Members
from paypro_async.sandbox.visitors import turned_away

__all__ = ["Platform", "RuleChanges", "Rules", "UnknownOrder"]

UnknownOrder = Literal["null", "empty", "code", "refusal"]
FaultDraw = Callable[[str, int], Fault | None]
Decision = Callable[[Members, Fault | None], Reply]

_ENDING = re.compile(r"[0-9]*\.?[0-9]+")
_KEPT_ATTEMPTS = 200_000
# Everything else in a body may be personal, so the journal shows these and masks the rest.
_NOT_PERSONAL = frozenset({"tradeNo", "amount", "timestamp", "bankCode", "bankNCode", "notifyUrl", "remark", "sign"})


def _one_of(choice: object) -> Callable[[object, "Attribute[object]", object], None]:
    """Checks a setting against its ``Literal`` type, so that the choices are written once."""
    return validators.in_(get_args(choice))


def _check_code(_: object, attribute: "Attribute[Any]", text: str | None) -> None:
    if text is not None and not replies.is_code(text):
        raise ValueError(f"{attribute.name} must be CODE or CODE:MESSAGE, and the code has 4 to 8 digits.")


def _check_unknown_order(_: object, attribute: "Attribute[Any]", text: str) -> None:
    if text not in UNKNOWN_ORDERS and not replies.is_code(text):
        raise ValueError(f"{attribute.name} must be one of {', '.join(UNKNOWN_ORDERS)}, or a code of 4 to 8 digits.")


def _read_amount_rules(rules: Mapping[str, str | Wishes]) -> Mapping[str, Wishes]:
    """By the ending of the amount what its payout wishes; one that is read already is left as it is."""
    found: dict[str, Wishes] = {}
    for ending, wish in rules.items():
        try:
            if not _ENDING.fullmatch(ending):
                raise ValueError(f"{ending!r} are no digits with which an amount ends")  # noqa: TRY301  one text for all
            found[ending] = wish if isinstance(wish, Wishes) else read_rule(wish)
        except ValueError as error:
            raise ValueError(
                f"The rule {ending}={wish} for amounts is wrong: {error}. A rule has the digits with which they end "
                "and what a remark may wish, as 13=later:fail:00029 or 13=later:reverse callback:twice."
            ) from None
    return MappingProxyType(found)


def _check_seconds(_: object, attribute: "Attribute[Any]", seconds: float) -> None:
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{attribute.name} must be seconds, 0 or more.")


def _path_prefix(prefix: str) -> str:
    bare = prefix.strip("/")
    return f"/{bare}" if bare else ""


@frozen(kw_only=True)
class Rules:
    """How this platform behaves where the documentation leaves it open, and what it checks requests against.

    The fields are the arguments of :class:`~paypro_async.sandbox.Sandbox` of the same names.
    """

    secret: str = field(repr=False)
    merchant_no: str
    secret_position: SecretPosition = field(validator=_one_of(SecretPosition))
    order_number_name: OrderNumberName = field(validator=_one_of(OrderNumberName))
    echo: Echo = field(validator=_one_of(Echo))
    unknown_order: UnknownOrder | str = field(validator=_check_unknown_order)
    refuse_payouts: str | None = field(validator=_check_code)
    refuse_all: str | None = field(validator=_check_code)
    booking_lag: float = field(validator=_check_seconds)
    callbacks: bool
    processing_callbacks: bool
    amount_rules: Mapping[str, Wishes] = field(converter=_read_amount_rules)
    prefix: str = field(converter=_path_prefix)


class RuleChanges(TypedDict, total=False):
    """Rules that may change while the platform runs."""

    secret: str
    merchant_no: str
    secret_position: SecretPosition
    order_number_name: OrderNumberName
    echo: Echo
    unknown_order: UnknownOrder | str
    refuse_payouts: str | None
    refuse_all: str | None
    booking_lag: float
    callbacks: bool
    processing_callbacks: bool
    amount_rules: Mapping[str, str]


class Platform:
    """Answers requests from the books, by the rules, with the faults decided on; the sandbox's own *pages* besides.

    Attributes:
        rules: May be replaced at any time; the next request is answered by the new ones.
    """

    def __init__(self, *, rules: Rules, books: Books, faults: Decisions, pages: Callable[[Request], Answer]) -> None:
        self.rules = rules
        self._decisions = faults
        self._books = books
        self._pages = pages
        self._attempts: Counter[tuple[str, bytes]] = Counter()
        # docs: india/payout, india/payoutQuery; India's balance page is not at hand.
        self._operations: Mapping[str, tuple[Decision, FaultDraw]] = {
            "/v1/paypro/payout": (self._payout, faults.payout_fault),
            "/v1/paypro/queryPayOutResult": (self._query, faults.query_fault),
            "/v1/paypro/queryBalance": (self._balance, lambda _trade_no, _attempt: None),
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request and enter it in the journal."""
        if (refused := turned_away(request)) is not None:
            return refused
        if request.path.startswith(CONTROL_PREFIX):
            return self._pages(request)
        operation = self._operation(request.path)
        if operation is None:
            return replies.not_found()
        if request.method != "POST":
            return replies.not_allowed("POST")
        return self._call(request, operation)

    def _operation(self, path: str) -> str | None:
        """The operation of a path: behind the prefix of the rules, or behind any prefix when they have none."""
        for operation in self._operations:
            if path == self.rules.prefix + operation or (not self.rules.prefix and path.endswith(operation)):
                return operation
        return None

    def _call(self, request: Request, operation: str) -> Answer:
        decide, draw = self._operations[operation]
        members = validation.read_members(request.body)
        fault = self._fault(operation, draw, members)
        reply = None
        if fault not in BEFORE_BOOKING:
            reply = self._checked(request, members, decide, fault)
        answer = replies.to_answer(reply or Reply(), timestamp_ms=self._books.now_ms())
        if fault is not None:
            answer = replies.spoil(answer, fault, timestamp_ms=self._books.now_ms())
        self._record(request, members, fault, reply, answer)
        return answer

    def _fault(self, operation: str, draw: FaultDraw, members: Members | None) -> Fault | None:
        trade_no = _trade_no(members)
        if trade_no is None:
            return None
        # Anybody may send any number, signed or not, so this has an end, and a long number is no longer than another.
        key = operation, hashlib.blake2b(trade_no.encode("utf-8", "replace"), digest_size=16).digest()
        attempt = self._attempts[key] + 1
        if len(self._attempts) >= _KEPT_ATTEMPTS and attempt == 1:
            del self._attempts[next(iter(self._attempts))]
        self._attempts[key] = attempt
        return draw(trade_no, attempt)

    def _checked(self, request: Request, members: Members | None, decide: Decision, fault: Fault | None) -> Reply:
        rules = self.rules
        if members is None:
            return replies.wrong_parameter("the body must be a JSON object")
        if request.headers.get("merchantno") != rules.merchant_no:
            return replies.MERCHANT_UNKNOWN
        if not is_signed(members, secret=rules.secret, position=rules.secret_position):
            return replies.SIGN_ERROR
        if rules.refuse_all is not None:
            return replies.refusal_of(rules.refuse_all)
        return decide(members, fault)

    def _payout(self, members: Members, fault: Fault | None) -> Reply:
        if (wrong := validation.wrong_payout(members)) is not None:
            return replies.wrong_parameter(wrong)
        if self.rules.refuse_payouts is not None:
            return replies.refusal_of(self.rules.refuse_payouts)
        wishes = self._wishes(members)
        wish = wishes.now
        if wish is not None and wish.kind is Kind.REFUSE:
            return replies.refusal(wish.code, wish.message or "refused by the remark")
        instruction = validation.read_instruction(members, wishes)
        if fault is Fault.LATE_BOOKING:
            self._books.book_later(instruction, self.rules.booking_lag)
            return Reply()
        return self._booked(instruction, wish)

    def _wishes(self, members: Members) -> Wishes:
        """Those decided on; else of the remark; if it has none, of the amount, by the longest ending with a rule."""
        if (decided := self._decisions.wishes_of(str(members["tradeNo"]))) is not None:
            return decided
        wishes = read_wishes(str(members.get("remark", "")))
        if wishes or not (rules := self.rules.amount_rules):
            return wishes
        amount = str(members["amount"])
        ending = max((one for one in rules if amount.endswith(one)), key=len, default=None)
        return wishes if ending is None else rules[ending]

    def _booked(self, instruction: Instruction, wish: Wish | None) -> Reply:
        booked = self._books.book(instruction)
        name, echo = self.rules.order_number_name, self.rules.echo
        if booked == "duplicate":
            return replies.DUPLICATE
        if booked == "full":
            return replies.FULL
        if booked == "insufficient_funds":
            return replies.insufficient_funds(instruction.remark, order_number_name=name, echo=echo)
        reply = replies.payout_reply(booked, order_number_name=name, echo=echo)
        match wish:
            case Wish(kind=Kind.VANISH):
                self._books.forget(instruction.trade_no)
            case Wish(kind=Kind.STATUS, code=status, message=message):
                said = {"status": status, "desc": message or message_of(status)}
                return evolve(reply, data={**(reply.data or {}), **said})
            case Wish(kind=Kind.REPLY, code=code, message=message):
                return evolve(replies.refusal(code, message or "refused by the remark"), booked=True)
        return reply

    def _query(self, members: Members, _fault: Fault | None) -> Reply:
        if (wrong := validation.wrong_member(members, validation.QUERY_MEMBERS)) is not None:
            return replies.wrong_parameter(wrong)
        order = self._books.orders.get(str(members["tradeNo"]))
        if order is not None:
            return replies.query_reply(order)
        # Not documented what comes here, so a client has to cope with all of them.
        setting = self.rules.unknown_order
        return UNKNOWN_ORDERS[setting] if setting in UNKNOWN_ORDERS else replies.refusal_of(setting)

    def _balance(self, members: Members, _fault: Fault | None) -> Reply:
        if (wrong := validation.wrong_member(members, validation.BALANCE_MEMBERS)) is not None:
            return replies.wrong_parameter(wrong)
        return replies.balance_reply(self._books.balance)

    def _record(
        self, request: Request, members: Members | None, fault: Fault | None, reply: Reply | None, answer: Answer
    ) -> None:
        sent = answer.delivery not in {Delivery.RESET, Delivery.SILENCE}
        self._books.record(
            RequestRecord(
                number=self._books.request_count + 1,
                at_ms=self._books.now_ms(),
                method=request.method,
                path=request.path,
                trade_no=_trade_no(members),
                members=None if members is None else _masked(members),
                fault=fault,
                http_status=answer.status if sent else None,
                code=None if reply is None else reply.code,
                booked=reply is not None and reply.booked,
            )
        )


def _trade_no(members: Members | None) -> str | None:
    value = None if members is None else members.get("tradeNo")
    return value if isinstance(value, str) and value else None


def _masked(members: Members) -> Mapping[str, str]:
    return {
        name: java_text(value) if name in _NOT_PERSONAL and not isinstance(value, dict | list) else "***"
        for name, value in members.items()
    }
