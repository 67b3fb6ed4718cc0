"""What ``paypro doctor`` makes of what the platform answered: one small check for each line. No I/O."""

from attrs import fields

from paypro_async._core.money import amount_for_people
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.platform_codes import ACCEPTED, Codes
from paypro_async.cli.doctor.evidence import Evidence, Heard, NotAsked
from paypro_async.cli.doctor.finding import Finding
from paypro_async.cli.exits import in_options

__all__ = ["access", "balance", "unknown_order"]

_ACCESS_FIRST = "Mend the access first."


def access(evidence: Evidence) -> Finding:
    """Whether the platform takes the merchant number and the signature, and which position of the secret it is."""
    heard, endpoint = evidence.heard, evidence.settings.endpoint
    if heard is None or endpoint is None:
        return Finding(name="access", found="The platform was not asked.", advice="Mend the settings first.")
    if isinstance(heard, NotAsked):
        return Finding(name="access", found="The platform was not asked, as a setting cannot be used.", advice=heard)
    if isinstance(heard, str):
        return _no_answer(endpoint.base_url, heard, "Mend that, and what other lines say.")
    if _is_taken(evidence, heard):
        return _taken(endpoint.base_url, heard)
    if heard.otherwise is not None:
        return _turned(endpoint.base_url, heard)
    refusal = heard.control if heard.control.code is not None else heard.asked_balance
    if refusal.code is None:
        fault = heard.control.fault
        return _no_answer(endpoint.base_url, _cause(heard.control), fault.mend if fault else None)
    if evidence.settings.codes.proves_nothing(refusal.code):
        return Finding(
            name="access",
            found=f"{endpoint.base_url} says of itself that something is wrong: {_said(refusal)}.",
            advice="Run this again later; if it stays so, ask PayPro.",
        )
    other = heard.asked_otherwise
    otherwise = "" if other is None or other.code is None else f", and with the secret at the other end {_said(other)}"
    return Finding(
        name="access",
        found=f"{endpoint.base_url} refuses every question: {_said(refusal)}{otherwise}.",
        advice="Check the merchant number and the secret (both of its positions are refused, so PAYPRO_SECRET_POSITION "
        "is not the cause), and ask PayPro whether the address of this machine is on its list.",
    )


def _no_answer(address: str, why: str, mend: str | None) -> Finding:
    return Finding(
        name="access",
        found=f"No usable answer comes from {address}: {in_options(why.rstrip('.'))}.",
        advice=in_options(mend or "Check base_url, the network and the proxy."),
    )


def _taken(address: str, heard: Heard) -> Finding:
    told = f"{address} answers and takes the merchant number and the signature"
    if heard.position is None:
        return Finding(name="access", found=f"{told}.")
    if heard.otherwise is not None:
        return Finding(
            name="access",
            found=f"{told}, and one with the secret at the other end too: it does not look at signatures.",
            advice="Make sure that PayPro is what answers there.",
            level="warning",
        )
    return Finding(name="access", found=f"{told}: the secret's position, {heard.position}, is the right one.")


def _turned(address: str, heard: Heard) -> Finding:
    right = "prefix" if heard.position == "suffix" else "suffix"
    return Finding(
        name="access",
        found=f"{address} refuses a signature with the secret as {heard.position} and takes one with it as {right}. A "
        "wrong position moves no money.",
        advice=f'Set PAYPRO_SECRET_POSITION={right} (in a program, Md5Signer(secret, secret_position="{right}")).',
    )


def unknown_order(evidence: Evidence) -> Finding | None:
    """What the platform says of an order that does not exist, and which setting follows from that."""
    name, heard = "unknown_order", evidence.heard
    if not isinstance(heard, Heard):
        return None
    control = heard.control
    if control.code is None:
        return Finding(
            name=name,
            found=f"A query about a number that was never used got no usable answer: {_cause(control)}.",
            advice="Run this again once the platform answers.",
        )
    if control.verdict is Verdict.NO_SUCH_ORDER and control.code == ACCEPTED:
        return Finding(name=name, found="The platform answers without data, which is understood.")
    if _shows_an_order(control):
        return Finding(
            name=name,
            found="The platform shows an order under a number that was never used. This is not how PayPro answers.",
            advice="Check PAYPRO_BASE_URL; pay nothing through what stands there.",
        )
    if not _is_taken(evidence, heard):
        return Finding(name=name, found="Not known, since every question is refused.", advice=_ACCESS_FIRST)
    return _under_a_code(evidence, heard)


def _under_a_code(evidence: Evidence, heard: Heard) -> Finding:
    name, codes, control = "unknown_order", evidence.settings.codes, heard.control
    found, code = f"The platform answers with {_said(control)}", control.code or ""
    if codes.proves_nothing(code):
        return Finding(
            name=name,
            found=f"{found}, which is a fault of its own and says nothing about an order.",
            advice="Run this again later; if it stays so, ask PayPro what a query for an unknown order answers.",
        )
    listed = code in codes.no_such_order
    if other := _other_meaning(evidence, heard, code):
        stay = "Take it out of PAYPRO_NO_SUCH_ORDER_CODES" if listed else "Do not list it"
        return Finding(
            name=name,
            found=f"{found}. But {other}, so it does not prove that there is no such order.",
            advice=f"{stay}, and ask PayPro how a query tells that an order does not exist. Until then a payout whose "
            "reply was lost stays unknown until a person decides about it.",
        )
    if listed:
        return Finding(name=name, found=f"{found}, which PAYPRO_NO_SUCH_ORDER_CODES lists.")
    all_codes = ",".join(sorted({*codes.no_such_order, code}))
    return Finding(
        name=name,
        found=f"{found}, which is not listed: a payout whose reply was lost would stay unknown until a person decides.",
        advice=f"Set PAYPRO_NO_SUCH_ORDER_CODES={all_codes} (in a program, codes=Codes(no_such_order=…)), once PayPro "
        "has confirmed that this code means nothing else.",
    )


def balance(evidence: Evidence) -> Finding | None:
    """What can be paid out."""
    heard = evidence.heard
    if not isinstance(heard, Heard):
        return None
    told, asked = heard.balance or heard.otherwise, heard.asked_balance
    if told is not None:
        available = amount_for_people(told.available, told.currency)
        return Finding(name="balance", found=f"{available} {told.currency} can be paid out.")
    why = _said(asked) if asked.code is not None else _cause(asked)
    advice = "Ask PayPro for the balance, and whether this account may query it, before a large file is paid."
    return Finding(
        name="balance",
        found=f"The platform did not tell it: {why}.",
        advice=advice if _is_taken(evidence, heard) else _ACCESS_FIRST,
    )


def _is_taken(evidence: Evidence, heard: Heard) -> bool:
    """Whether the platform takes this caller's questions, so that a refusal is about what was asked."""
    control = heard.control
    if heard.balance is not None or control.verdict is Verdict.NO_SUCH_ORDER or _shows_an_order(control):
        return True
    # Who asks is looked at before what is asked: a caller that is refused is refused under one code.
    refused = {one.code for one in (control, heard.blank, heard.asked_balance) if one is not None}
    return len({code for code in refused if code is not None and not evidence.settings.codes.proves_nothing(code)}) > 1


def _shows_an_order(outcome: Outcome) -> bool:
    known = (Verdict.PAID, Verdict.PROCESSING, Verdict.FAILED)
    return outcome.verdict in known or outcome.platform_trade_no is not None


def _other_meaning(evidence: Evidence, heard: Heard, code: str) -> str | None:
    """What else the platform says under a code, in half a sentence."""
    blank = heard.blank
    if blank is not None and blank.code == code:
        return "it answers a wrong question under the same code"
    if evidence.ledger.refuses:
        return "payouts in this ledger were refused under the same code"
    others = (one.name for one in fields(Codes) if one.init and one.name != "no_such_order")
    if any(code in getattr(evidence.settings.codes, name) for name in others):
        return "payouts are refused under the same code"
    return None


def _said(outcome: Outcome) -> str:
    return f"code {outcome.code} ({outcome.message})" if outcome.message else f"code {outcome.code}"


def _cause(outcome: Outcome) -> str:
    return outcome.cause or "no reason is known"
