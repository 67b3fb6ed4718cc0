"""Callbacks: what the platform reports to the merchant's ``notifyUrl`` (docs: brazil/paymentNotify), verified.

Pure: bytes in, a value or an error out. A callback is signed as a request is, over all its members but ``sign``
(inferred: reference 1.5), so members that no page knows are accepted and checked too.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from inspect import iscoroutine
from types import MappingProxyType
from typing import Any, Literal

from attrs import field

from paypro_async._core.callback_body import CallbackBody, CallbackReading, CallbackSigned, read_body
from paypro_async._core.callback_forms import check_forms, is_ambiguous, plain_amounts
from paypro_async._core.codec import Note
from paypro_async._core.errors import CallbackPayloadError, CallbackSignatureError, ConfigurationError
from paypro_async._core.models import PayoutStatus
from paypro_async._core.outcome import Outcome, classify_order
from paypro_async._core.plain_data import PlainData
from paypro_async._core.platform_codes import ACCEPTED, Codes, codes_of
from paypro_async._core.secret import HiddenFields, HiddenText, hidden
from paypro_async._core.signing import Signer, check_signer, matches
from paypro_async._core.values import frozen
from paypro_async._core.verdict import Verdict
from paypro_async._core.wire import Envelope, Exchange, Phase

__all__ = ["CallbackReply", "PayoutCallback", "callback_of", "signers_of", "verify_callback"]

_STATUSES: Mapping[Verdict, PayoutStatus] = MappingProxyType(
    {
        Verdict.PAID: PayoutStatus.SUCCEEDED,
        Verdict.PROCESSING: PayoutStatus.PROCESSING,
        Verdict.FAILED: PayoutStatus.FAILED,
    }
)
_EXCHANGE = Exchange(phase=Phase.ANSWERED)
_AMBIGUOUS = ("refuse", "mark")
_PAID = ("payAmount", "amount", "orderAmount")
"""The amounts, the one that was really paid first."""


def _masked_members(members: Mapping[str, str]) -> str:
    return ", ".join(sorted(members))


@frozen(kw_only=True)
class PayoutCallback(PlainData):
    """A callback whose signature is right. Whether it is about one of your payouts only a ledger knows.

    Args:
        trade_no: The merchant's order number. The collection side's callbacks come in the same form.
        status: A :class:`~paypro_async.PayoutStatus`; unknown for one that proves nothing alone, such as a code that no
            page lists.
        code: The platform's code as text, unchanged (``"0000"``, ``"0015"``, …).
        amount: The amount really paid, in major units, exact; the ordered one, if the callback names no other.
        platform_trade_no: PayPro's own order number, under whichever name it came.
        message: The platform's words for the code, fit for people.
        success_time: The region's local time as the platform writes it, without a zone.
        utr: The bank's reference, if it came.
        timestamp: When it was signed, as the platform writes it: milliseconds since the epoch.
        ambiguous: Whether its signature would fit another callback too, since a value holds ``=`` or a name is unknown:
            ask the platform before you believe it. ``client.receive_callback`` does.
        members: All that was signed, by the platform's names: also the payout's ``remark``, which the platform promises
            to give back. It may hold personal values, so ``to_dict()`` and the ``repr`` show only the names.
    """

    trade_no: str
    status: PayoutStatus
    code: str
    amount: Decimal
    platform_trade_no: str | None = None
    message: str | None = None
    success_time: str | None = None
    utr: str | None = None
    timestamp: str
    ambiguous: bool = False
    members: Mapping[str, str] = field(repr=_masked_members, eq=False)

    @property
    def is_final(self) -> bool:
        """Whether it says that the payout can no longer change by itself."""
        return self.status.is_final

    def outcome(self, codes: Codes, *, amount: Decimal | None = None, utc_offset: timedelta | None = None) -> Outcome:
        """What it proves, as a query's reply with the same order would.

        Args:
            codes: What codes mean.
            amount: What was to be paid; None if that is not known.
            utc_offset: Of the times that the platform writes; None if that is not known.
        """
        order = Envelope(ACCEPTED, Note(""), data=plain_amounts(self.members))
        return classify_order(order, codes, _EXCHANGE, trade_no=self.trade_no, amount=amount, utc_offset=utc_offset)


@frozen(kw_only=True)
class CallbackReply:
    """What to answer the platform, whatever the web framework.

    Args:
        status: The HTTP status. 200 ends the platform's repetitions; after 503 it sends the callback again.
        body: The answer's body: exactly ``OK``, or a word that tells nothing.
        content_type: Its type.
    """

    status: int
    body: bytes
    content_type: str = "text/plain"


def verify_callback(
    body: CallbackBody,
    signer_or_signers: Signer | Sequence[Signer],
    *,
    reading: CallbackReading | None = None,
    codes: Codes | None = None,
    ambiguous: Literal["refuse", "mark"] = "refuse",
) -> PayoutCallback:
    """Read a callback, if one of the signers has made its signature.

    It stores nothing and knows no payout: ``client.receive_callback`` does the rest. A genuine callback may come again,
    late, and after newer ones.

    Args:
        body: The raw body of the request, at most 64 KiB.
        signer_or_signers: :class:`~paypro_async.Md5Signer` with the app secret; several while the secret is changed.
        reading: How to read what the documentation leaves open. By default only what it shows.
        codes: Platform codes with a meaning, for those that its pages do not list.
        ambiguous: ``"refuse"`` one whose signature would fit another callback too; ``"mark"`` gives it all the same, as
            ``PayoutCallback.ambiguous``, to somebody who asks the platform before believing it.

    Raises:
        CallbackSignatureError: If no signer has made the signature, or there is none.
        CallbackPayloadError: If it is not what the platform documents.
        ConfigurationError: If a signer is none, or is one that must be waited for; or another option is none.
        TypeError: If *body* is neither bytes nor text.
    """
    known = codes_of(codes)
    _check_options(reading, ambiguous)
    body = hidden(body)  # A traceback may show the variables of this frame.
    received = read_body(body, reading or CallbackReading())
    made = [_signature(signer, received.members) for signer in signers_of(signer_or_signers)]
    callback = callback_of(received, made, known)
    if callback.ambiguous and ambiguous == "refuse":
        raise CallbackPayloadError(
            "The callback's signature would fit another callback too, since a value holds '=' or an unknown name hides "
            "a documented one: it may have been cut out of a genuine one. Nothing was stored. client.receive_callback "
            "asks the platform about it; ambiguous='mark' gives it to a program that does so itself."
        )
    return callback


def _check_options(reading: object, ambiguous: object) -> None:
    if not isinstance(reading, CallbackReading | None):
        raise ConfigurationError("reading is no CallbackReading. Give CallbackReading(numbers=…), say, or None.")
    if ambiguous not in _AMBIGUOUS:
        raise ConfigurationError("ambiguous is neither 'refuse' nor 'mark'. Give one of them.")


def signers_of(signer_or_signers: object) -> tuple[Signer, ...]:
    """One signer or several, as several.

    Raises:
        ConfigurationError: If one is none, or there is none.
    """
    if isinstance(signer_or_signers, Signer):
        return (signer_or_signers,)
    given: Any = signer_or_signers
    signers: tuple[Signer, ...] = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    if not signers:
        raise ConfigurationError("A callback needs a signer to be verified. Give Md5Signer(secret), or several.")
    for one in signers:
        check_signer(one)
    return signers


def callback_of(received: CallbackSigned, signatures: Sequence[str], codes: Codes) -> PayoutCallback:
    """The callback, if its signature is one of *signatures*.

    Raises:
        CallbackSignatureError: If it is not.
        CallbackPayloadError: If a member that decides something is missing or has another form.
    """
    if not matches(received.sign, signatures):
        raise CallbackSignatureError(
            "The callback's signature was made with none of the given secrets. Nothing was stored. If it should be "
            "genuine: check the secret, its position, and which secrets are valid during a rotation."
        )
    members = received.members
    check_forms(members)
    plain = plain_amounts(members)
    outcome = classify_order(Envelope(ACCEPTED, Note(""), data=plain), codes, _EXCHANGE, trade_no=members["tradeNo"])
    return PayoutCallback(
        trade_no=members["tradeNo"],
        status=_STATUSES.get(outcome.verdict, PayoutStatus.UNKNOWN),
        code=members["status"],
        amount=Decimal(next(plain[name] for name in _PAID if name in plain)),
        platform_trade_no=outcome.platform_trade_no,
        message=outcome.message,
        success_time=outcome.success_time,
        utr=outcome.utr,
        timestamp=members["timestamp"],
        ambiguous=is_ambiguous(members),
        members=members,
    )


def _signature(signer: Signer, members: HiddenFields[str, str]) -> HiddenText:
    made: Any = signer.sign(members)
    if iscoroutine(made):
        made.close()  # or it would warn that nobody has awaited it
    if not isinstance(made, str):
        raise ConfigurationError(
            "The signer returned no text. One whose sign() must be waited for, as a vault's must, cannot be used in "
            "verify_callback: use client.receive_callback, which waits for it. Nothing was stored."
        )
    return HiddenText(made)
