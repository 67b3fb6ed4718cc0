"""What mends a set-up in which another server than PayPro's answers: a wrong address, a login page, a gateway.

One such reply proves nothing, since whatever stands before the platform answers so for a moment; only if all are so,
the setting is wrong. What became of a payout none of them says.
"""

from paypro_async._core.platform_text import cause_text
from paypro_async._core.wire import Fault

__all__ = ["TOO_MANY", "answered_by_another"]

TOO_MANY = "the platform answered HTTP 429"
_COMPARE = "compare base_url with the address that PayPro gave"
_ASK = "ask PayPro whether the address of this machine is on its list"


def answered_by_another(cause: str, status: int) -> Fault:
    """The fault of a reply that is none of the platform's.

    Args:
        cause: What is wrong with it.
        status: HTTP.
    """
    if "TLS" in cause:
        mend = "Begin base_url with https://, or mend its port."
    elif 300 <= status < 400:
        mend = (
            f"If every reply is so, {_COMPARE}, its https:// and its host too, and look whether this network wants a "
            "login first (in a browser)."
        )
    elif status in (401, 403, 407):
        mend = f"If every reply is so, something before the platform keeps this machine out: {_ASK}, and {_COMPARE}."
    elif status == 429:
        mend = "Wait, and pay or ask more slowly (rate)."
    elif status >= 500:
        mend = (
            f"A gateway answers so where the platform does not, mostly for a while. If every reply is so, {_COMPARE}."
        )
    else:
        mend = (
            f"If every reply is so, another server than PayPro's answers there, or a proxy or a login page in its "
            f"place: {_COMPARE}."
        )
    # It may be in the words of a user's own transport.
    return Fault(cause=cause_text(cause) or "", mend=mend)
