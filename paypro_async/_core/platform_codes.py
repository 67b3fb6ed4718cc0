"""The platform's codes, and which of them mean something for certain."""

import re
from collections.abc import Iterable

from attrs import field, fields, frozen

from paypro_async._core.errors import ConfigurationError
from paypro_async._core.platform_text import is_exact
from paypro_async._core.words import speaks_of_duplicate

__all__ = ["ACCEPTED", "NO_REFUSAL", "PARTIAL", "PROCESSING", "Codes", "codes_of"]

ACCEPTED = "0000"
PROCESSING = "0015"
PARTIAL = "0001"
NO_REFUSAL = frozenset({ACCEPTED, PROCESSING, PARTIAL})

# docs: mexico/errorcode, vietnam/errorcode, pakistan/errorcode: "the codes of failed payouts", but for those that prove
# nothing (00032) or mean "ask" (0100024).
_LISTED = frozenset({"0100019", "0100007", "0100023", "60030", "60019", "00028", "00029"})
# inferred: every code on every page is text of four to seven digits (reference section 8)
_SHAPE = re.compile(r"[0-9]{4,8}")


def _frozenset(codes: str | Iterable[str]) -> frozenset[str]:
    # One code alone is a code, not a set of characters.
    found = frozenset([codes] if isinstance(codes, str) else codes)
    if not all(map(_can_be_one, found)):
        raise ConfigurationError(
            "A code in Codes(…) can be none of the platform's: it is empty, no text, too long, or has blanks around it "
            "or control characters in it. Nothing was sent; copy the code alone."
        )
    return found


def codes_of(codes: object) -> "Codes":
    """What was given as codes, or the documented ones for None.

    Raises:
        ConfigurationError: If it is something else. Else it would fail only when the platform's reply is read.
    """
    if codes is None:
        return _DOCUMENTED
    if not isinstance(codes, Codes):
        raise ConfigurationError("codes is no Codes. Nothing was sent; give Codes(refused={…}), say, or None.")
    return codes


def _said(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes))


def _can_be_one(code: object) -> bool:
    return isinstance(code, str) and code != "" and code == code.strip() and is_exact(code)


@frozen(kw_only=True)
class Codes:
    """The platform's codes that mean something for certain. Its lists are incomplete, so each can be extended.

    Args:
        refused: The payout was refused, or failed, and no money moved. By default those that a page lists. A refusal
            under any other code is final only once the platform has confirmed it.
        duplicate: The ``tradeNo`` was used before. Documented for Pakistan only.
        no_such_order: What a query answers for an unknown ``tradeNo``. Nothing is documented; ``paypro doctor`` finds
            it out.
        system: "Something went wrong", which proves nothing about the money (reference section 8).
        credentials: The signature, the merchant number or the caller's address was refused. Nothing is documented; what
            is not listed here is recognised by asking.
        insufficient_funds: The merchant's balance is too low.
    """

    refused: frozenset[str] = field(default=_LISTED, converter=_frozenset)
    duplicate: frozenset[str] = field(default=frozenset({"0100024"}), converter=_frozenset)
    no_such_order: frozenset[str] = field(default=frozenset(), converter=_frozenset)
    system: frozenset[str] = field(default=frozenset({"5000", "00032"}), converter=_frozenset)
    credentials: frozenset[str] = field(default=frozenset(), converter=_frozenset)
    insufficient_funds: frozenset[str] = field(default=frozenset({"60019"}), converter=_frozenset)
    _known: frozenset[str] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        listed = frozenset().union(*(getattr(self, one.name) for one in fields(type(self)) if one.init))
        if listed & NO_REFUSAL:
            # An order that is paid would count as failed or as never made, and be paid once more.
            raise ConfigurationError(
                f"Codes(…) lists {_said(listed & NO_REFUSAL)}, by which PayPro says that it has taken a payout or a "
                "question. Nothing was sent. Take it out: what it means is known, also of an order that does not exist."
            )
        if both := self.no_such_order & self.system:
            raise ConfigurationError(
                f"Codes(…) lists {_said(both)} as no_such_order and as system, which proves nothing. Nothing was sent. "
                "Take it out of no_such_order: a payout that PayPro may have taken would be sent again."
            )

    @_known.default
    def _(self) -> frozenset[str]:
        return NO_REFUSAL.union(*(getattr(self, one.name) for one in fields(type(self)) if one.init))

    def is_one(self, code: str) -> bool:
        """Whether a text can be a code of the platform: it has the shape of one, or the user lists it."""
        return code in self._known or _SHAPE.fullmatch(code) is not None

    def is_listed(self, code: str) -> bool:
        """Whether a code ends a payout without being confirmed."""
        return code in self.refused or code in self.insufficient_funds

    def says_duplicate(self, code: str, message: str | None) -> bool:
        """Whether an outer refusal is about a ``tradeNo`` that was used before."""
        # inferred: only Pakistan's code is documented, so the words count too
        return code in self.duplicate or speaks_of_duplicate(message)

    def proves_nothing(self, code: str) -> bool:
        """Whether a code says that something went wrong, and not what became of the payout."""
        return code in self.system


_DOCUMENTED = Codes()
