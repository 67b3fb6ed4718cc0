"""The platform behind the HTTP server: a request in, an answer out, and the books changed. No I/O.

Order of the checks: fault before booking, JSON, merchant, signature, members, magic remark, duplicate, balance. Then
the booking, the reply, and the fault after it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from attrs import Attribute, field, frozen, validators

from paypro_async.sandbox import replies, validation
from paypro_async.sandbox.books import Books, RequestRecord
from paypro_async.sandbox.control import PREFIX as CONTROL_PREFIX
from paypro_async.sandbox.control import control
from paypro_async.sandbox.faults import BEFORE_BOOKING, Fault, FaultPlan
from paypro_async.sandbox.messages import Answer, Delivery, Request
from paypro_async.sandbox.replies import OrderNumberName, Reply
from paypro_async.sandbox.signature import SecretPosition, is_signed, java_text
from paypro_async.sandbox.validation import Members

__all__ = ["Platform", "Rules", "UnknownOrder"]

UnknownOrder = Literal["null", "empty", "code"]
FaultDraw = Callable[[str, int], Fault | None]
Decision = Callable[[Members, Fault | None], Reply]

# Everything else in a body may be personal, so the journal shows these and masks the rest.
_NOT_PERSONAL = frozenset({"tradeNo", "amount", "timestamp", "bankCode", "bankNCode", "notifyUrl", "remark", "sign"})


def _one_of(choice: object) -> Callable[[object, "Attribute[object]", object], None]:
    """Checks a setting against its ``Literal`` type, so that the choices are written once."""
    return validators.in_(get_args(choice))


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
    unknown_order: UnknownOrder = field(validator=_one_of(UnknownOrder))
    booking_lag: float
    prefix: str = field(converter=_path_prefix)


class Platform:
    """Answers requests from the books, by the rules, with the faults of the plan."""

    def __init__(self, *, rules: Rules, books: Books, faults: FaultPlan) -> None:
        self._rules = rules
        self._books = books
        self._attempts: Counter[tuple[str, str]] = Counter()
        # docs: india/payout, india/payoutQuery; India's balance page is not at hand.
        self._operations: Mapping[str, tuple[Decision, FaultDraw]] = {
            "/v1/paypro/payout": (self._payout, faults.payout_fault),
            "/v1/paypro/queryPayOutResult": (self._query, faults.query_fault),
            "/v1/paypro/queryBalance": (self._balance, lambda _trade_no, _attempt: None),
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request and enter it in the journal."""
        if request.path.startswith(CONTROL_PREFIX):
            return control(request, self._books)
        operation = self._operation(request.path)
        if operation is None:
            return replies.not_found()
        if request.method != "POST":
            return replies.not_allowed("POST")
        return self._call(request, operation)

    def _operation(self, path: str) -> str | None:
        """The operation of a path: behind the prefix of the rules, or behind any prefix when they have none."""
        for operation in self._operations:
            if path == self._rules.prefix + operation or (not self._rules.prefix and path.endswith(operation)):
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
            answer = replies.spoil(answer, fault)
        self._record(request, members, fault, reply, answer)
        return answer

    def _fault(self, operation: str, draw: FaultDraw, members: Members | None) -> Fault | None:
        trade_no = _trade_no(members)
        if trade_no is None:
            return None
        self._attempts[operation, trade_no] += 1
        return draw(trade_no, self._attempts[operation, trade_no])

    def _checked(self, request: Request, members: Members | None, decide: Decision, fault: Fault | None) -> Reply:
        rules = self._rules
        if members is None:
            return replies.wrong_parameter("the body must be a JSON object")
        if request.headers.get("merchantno") != rules.merchant_no:
            return replies.MERCHANT_UNKNOWN
        if not is_signed(members, secret=rules.secret, position=rules.secret_position):
            return replies.SIGN_ERROR
        return decide(members, fault)

    def _payout(self, members: Members, fault: Fault | None) -> Reply:
        if (wrong := validation.wrong_payout(members)) is not None:
            return replies.wrong_parameter(wrong)
        if (code := validation.magic_refusal(members)) is not None:
            return replies.refusal(code, "refused by the remark")
        instruction = validation.read_instruction(members)
        if fault is Fault.LATE_BOOKING:
            self._books.book_later(instruction, self._rules.booking_lag)
            return Reply()
        booked = self._books.book(instruction)
        name = self._rules.order_number_name
        if booked == "duplicate":
            return replies.DUPLICATE
        if booked == "insufficient_funds":
            return replies.insufficient_funds(instruction.remark, order_number_name=name)
        return replies.payout_reply(booked, order_number_name=name)

    def _query(self, members: Members, _fault: Fault | None) -> Reply:
        if (wrong := validation.wrong_member(members, validation.QUERY_MEMBERS)) is not None:
            return replies.wrong_parameter(wrong)
        order = self._books.orders.get(str(members["tradeNo"]))
        if order is not None:
            return replies.query_reply(order)
        # Not documented what comes here, so a client has to cope with all three.
        unknown = {"null": Reply(), "empty": Reply(data={}), "code": replies.ORDER_UNKNOWN}
        return unknown[self._rules.unknown_order]

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
                number=len(self._books.requests) + 1,
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
