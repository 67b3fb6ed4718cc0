"""What the platform's words may speak of.

They are written for people and in no fixed form, so they turn an answer into a question and decide nothing else.
"""

import re
import unicodedata

__all__ = ["speaks_of_doubt", "speaks_of_duplicate", "speaks_of_trouble"]

# No answer came from behind, or none yet. A false hit keeps a question open that the platform has answered.
_TROUBLE = re.compile(
    r"\b(busy|overload(ed)?|too frequent(ly)?|try again|retry|later|unavailable|maintenance|processing|in process"
    r"|pending|in progress|queued|timed out|time out|gateway|upstream|proxy|connect(ion)?|econn\w+|reset|aborted"
    r"|no response"
    r"|(system|server|internal|network|database|service) (\w+ )?(error|fault|failure|failed|down))\b"
    r"|timeout|exception"
    r"|处理中|进行中|审核中|排队|等待|繁忙|频繁|超时|异常|稍后|重试|网络|维护|系统错误|系统故障"
)
# Words of a refusal that may stand over an order that was taken all the same. A false hit costs the settle window.
_DOUBT = re.compile(
    r"\b(again|wait(ing)?|process(ed)?|progress|handling|delay(ed)?|interrupt(ed)?|unexpected|unknown|internal|system"
    r"|network|server|success(ful(ly)?)?|succeed(ed)?|accepted|received|submitted|created|placed|initiated|approved"
    r"|complete(d)?|done|paid|ok)\b"
    r"|成功|受理|提交|已支付|已付款|完成|系统|未知"
)
# A duplicate that is taken for a refusal would be paid again under another number. A false hit costs a person's time.
_DUPLICATE = re.compile(
    r"\b(duplicate[ds]?|duplication|repeat(ed|ing)?|already|used before|(has|have|had) been used|not unique"
    r"|(order|transaction|request|reference|trade no|number) exists?)\b"
    r"|重复|已存在|已经存在|已使用|已被使用|订单存在|单号存在"
)


def speaks_of_trouble(text: str | None) -> bool:
    """Whether the words say that no answer came from behind, or none yet."""
    return _TROUBLE.search(_plain(text)) is not None


def speaks_of_doubt(text: str | None) -> bool:
    """Whether the words of a refusal may stand over an order that was taken."""
    plain = _plain(text)
    return _TROUBLE.search(plain) is not None or _DOUBT.search(plain) is not None


def speaks_of_duplicate(text: str | None) -> bool:
    """Whether the words of a refusal speak of a number that was used before."""
    return _DUPLICATE.search(_plain(text)) is not None


def _plain(text: str | None) -> str:
    """Small letters and single blanks: ``ORDER_ALREADY_EXISTS`` and ``SocketTimeoutException`` are words too."""
    same = unicodedata.normalize("NFKC", text or "")
    if not same.isascii():  # what shows nothing parts no word
        same = "".join(one for one in same if unicodedata.category(one) != "Cf")
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", same)
    return re.sub(r"[\W_]+", " ", apart).lower()
