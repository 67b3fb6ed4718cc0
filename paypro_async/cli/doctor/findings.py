"""What ``paypro doctor`` makes of the evidence: one small check for each line that it prints. No I/O."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from attrs import fields, frozen

from paypro_async._core.endpoint import is_loopback
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.platform_codes import ACCEPTED, Codes
from paypro_async.cli.doctor.evidence import Evidence

__all__ = ["CHECKS", "Finding", "examine"]


_ACCESS_FIRST = "Mend the access first."


@frozen(kw_only=True)
class Finding:
    """One line of the report.

    Args:
        name: What was looked at; programs go by it.
        found: What was found, in a sentence or two.
        advice: What to do about it; None if all is well.
    """

    name: str
    found: str
    advice: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is nothing to do."""
        return self.advice is None


def examine(evidence: Evidence) -> list[Finding]:
    """The findings, in the order in which they are read."""
    return [check(evidence) for check in CHECKS]


def _environment(evidence: Evidence) -> Finding:
    name = evidence.endpoint.environment
    host = urlsplit(evidence.endpoint.base_url).hostname or ""
    if not is_loopback(host) or evidence.environment_is_given:
        return Finding(name="environment", found=f"{name}: payouts of another environment never lie in its ledger.")
    return Finding(
        name="environment",
        found=f"{name}: every address of this machine is called so, a sandbox as well as production behind a tunnel, "
        "and payouts of the one would be taken for payouts of the other.",
        advice="Set PAYPRO_ENVIRONMENT=sandbox (or --environment) for a sandbox, and another name for what stands "
        "behind a tunnel.",
    )


def _ledger(evidence: Evidence) -> Finding:
    ledger, account = evidence.ledger, evidence.account
    if not ledger.durable:
        found = "It forgets every payout when the process ends." if ledger.name else "None is set, so nothing is paid."
        advice = "Set PAYPRO_LEDGER=sqlite:///payouts.db (or --ledger): it keeps payouts from being paid twice."
        return Finding(name="ledger", found=found, advice=advice)
    if not ledger.exists:
        return Finding(
            name="ledger",
            found=f"{ledger.name} is new: it is made with the first payout and knows of none. If this account has paid "
            "before, its ledger lies elsewhere.",
        )
    if ledger.wrong is not None:
        return Finding(name="ledger", found=ledger.wrong, advice="Mend that before anything is paid.")
    if ledger.suspicion is not None:
        return Finding(
            name="ledger",
            found=f"{ledger.name} looks like a restored backup: {ledger.suspicion}. Who pays from it asks first.",
            advice="Find out whether a later ledger exists. If not, 'paypro ledger restored' says how to go on.",
        )
    here = next((one for one in ledger.accounts if one.merchant_no == account.merchant_no), None)
    if here is None:
        others = ", ".join(one.merchant_no for one in ledger.accounts) or "no merchant"
        return Finding(name="ledger", found=f"{ledger.name} holds payouts of {others} and none of this one yet.")
    if here.environment != account.environment:
        return Finding(
            name="ledger",
            found=f"{ledger.name} holds this merchant's payouts on {here.environment}, and these settings are for "
            f"{account.environment}.",
            advice="Name the other ledger, or set the environment that is meant.",
        )
    return Finding(name="ledger", found=f"{ledger.name} holds payouts of this merchant on {here.environment}.")


def _access(evidence: Evidence) -> Finding:
    heard, address = evidence.heard, evidence.endpoint.base_url
    if _is_taken(evidence):
        return Finding(name="access", found=f"{address} answers and takes the merchant number and the signature.")
    refusal = heard.control if heard.control.code is not None else heard.asked_balance
    if refusal.code is None:
        return Finding(
            name="access",
            found=f"No usable answer comes from {address}: {_cause(heard.control)}.",
            advice="Check PAYPRO_BASE_URL, the network and the proxy, then run this again.",
        )
    if evidence.codes.proves_nothing(refusal.code):
        return Finding(
            name="access",
            found=f"{address} says of itself that something is wrong: {_said(refusal)}.",
            advice="Run this again later; if it stays so, ask PayPro.",
        )
    return Finding(
        name="access",
        found=f"{address} refuses every question: {_said(refusal)}.",
        advice="Check the merchant number, the secret and its position (PAYPRO_SECRET_POSITION), and ask PayPro "
        "whether the address of this machine is on its list.",
    )


def _unknown_order(evidence: Evidence) -> Finding:
    name, heard = "unknown_order", evidence.heard
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
    if not _is_taken(evidence):
        return Finding(name=name, found="Not known, since every question is refused.", advice=_ACCESS_FIRST)
    return _unknown_order_under_a_code(evidence)


def _unknown_order_under_a_code(evidence: Evidence) -> Finding:
    name, codes, control = "unknown_order", evidence.codes, evidence.heard.control
    found, code = f"The platform answers with {_said(control)}", control.code or ""
    if codes.proves_nothing(code):
        return Finding(
            name=name,
            found=f"{found}, which is a fault of its own and says nothing about an order.",
            advice="Run this again later; if it stays so, ask PayPro what a query for an unknown order answers.",
        )
    listed = code in codes.no_such_order
    if other := _other_meaning(evidence, code):
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


def _balance(evidence: Evidence) -> Finding:
    balance, asked = evidence.heard.balance, evidence.heard.asked_balance
    if balance is not None:
        return Finding(name="balance", found=f"{balance.available:,} {balance.currency} can be paid out.")
    why = _said(asked) if asked.code is not None else _cause(asked)
    advice = "Ask PayPro for the balance, and whether this account may query it, before a large file is paid."
    return Finding(
        name="balance",
        found=f"The platform did not tell it: {why}.",
        advice=advice if _is_taken(evidence) else _ACCESS_FIRST,
    )


CHECKS: Sequence[Callable[[Evidence], Finding]] = (_environment, _ledger, _access, _unknown_order, _balance)
"""What is looked at, in the order in which it is read."""


def _is_taken(evidence: Evidence) -> bool:
    """Whether the platform takes this caller's questions, so that a refusal is about what was asked."""
    heard = evidence.heard
    control = heard.control
    if heard.balance is not None or control.verdict is Verdict.NO_SUCH_ORDER or _shows_an_order(control):
        return True
    # Who asks is looked at before what is asked: a caller that is refused is refused under one code.
    refused = {one.code for one in (control, heard.blank, heard.asked_balance) if one is not None}
    return len({code for code in refused if code is not None and not evidence.codes.proves_nothing(code)}) > 1


def _shows_an_order(outcome: Outcome) -> bool:
    known = (Verdict.PAID, Verdict.PROCESSING, Verdict.FAILED)
    return outcome.verdict in known or outcome.platform_trade_no is not None


def _other_meaning(evidence: Evidence, code: str) -> str | None:
    """What else the platform says under a code, in half a sentence."""
    blank = evidence.heard.blank
    if blank is not None and blank.code == code:
        return "it answers a wrong question under the same code"
    if evidence.ledger.refuses:
        return "payouts in this ledger were refused under the same code"
    others = (one.name for one in fields(Codes) if one.init and one.name != "no_such_order")
    if any(code in getattr(evidence.codes, name) for name in others):
        return "payouts are refused under the same code"
    return None


def _said(outcome: Outcome) -> str:
    return f"code {outcome.code} ({outcome.message})" if outcome.message else f"code {outcome.code}"


def _cause(outcome: Outcome) -> str:
    return outcome.cause or "no reason is known"
