"""From what callers give to intents: mappings, keyword arguments and payouts, with the client's defaults."""

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from attrs import evolve, frozen

from paypro_async._core.intent import Intent, fields_of, prepare
from paypro_async._core.regions import RegionSpec
from paypro_async._core.secret import HiddenFields
from paypro_async._core.trade_no import RANDOM_BITS, make_trade_no
from paypro_async.errors import ConfigurationError, InvalidPayoutError, PayProWarning, Problem
from paypro_async.log import logger
from paypro_async.runtime import Runtime

__all__ = ["CheckedPayout", "Intake"]

_LONGEST_NAME = 200
_NO_PLACE = (None, None)
_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class CheckedPayout(HiddenFields[str, str]):
    """The fields of a payout that was checked before, with the *intent* that they mean; it is not checked again."""

    def __init__(self, fields: Mapping[str, str], intent: Intent) -> None:
        super().__init__(fields)
        self.intent = intent


@frozen(kw_only=True, eq=False)
class Intake:
    """What one client takes.

    Args:
        defaults: The client's values for fields that most payouts share.
        settle_after: Stored with each payout, see ``PayProClient``; and so is *resend*.
    """

    spec: RegionSpec
    merchant_no: str
    defaults: Mapping[str, str]
    runtime: Runtime
    settle_after: float | None = None
    resend: bool = True

    def new_trade_no(self) -> str:
        """A new order number in the platform's form."""
        trade_no = make_trade_no(self.runtime.now(), self.runtime.random_bits(RANDOM_BITS))
        logger.debug("A new trade_no: %s", trade_no)
        return trade_no

    def batch_id(self, given: Any) -> str:
        """The name of a batch: the one that is given, or a new one.

        Raises:
            ConfigurationError: If it is no name.
        """
        if given is None:
            return f"batch-{make_trade_no(self.runtime.now(), self.runtime.random_bits(RANDOM_BITS))}"
        if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_NAME or not given.isprintable():
            raise ConfigurationError(f"batch_id must be 1 to {_LONGEST_NAME} printable characters. Nothing was sent.")
        return given

    def intent(
        self,
        payout: Any,
        fields: Mapping[str, Any] = _NO_FIELDS,
        *,
        place: tuple[str | None, int | None] = _NO_PLACE,
        number: str | None = None,
    ) -> Intent:
        """Check a payout, or the fields of one, whole and freeze it, under a new number if its own is None.

        Args:
            place: The batch that it belongs to, and its number there.
            number: The new number, if it shall be this one.
        """
        if isinstance(payout, CheckedPayout):
            return evolve(payout.intent, batch_id=place[0], position=place[1])
        if payout is not None and not isinstance(payout, (HiddenFields, self.spec.model)):
            # A traceback may show the variables of a frame; what is no mapping is refused below, whatever it is.
            payout = HiddenFields(payout) if isinstance(payout, Mapping) else type(payout)
        given = self._given(payout, fields)
        trade_no = given["trade_no"] if isinstance(given, HiddenFields) else given.trade_no
        # None alone is no number. An empty one, of a cell or of a variable that was not set, was meant to be one.
        intent = self._prepared(given, (number or self.new_trade_no()) if trade_no is None else trade_no, place)
        for problem in intent.warnings:
            # The line that the warning shows is that of the caller of payout().
            warnings.warn(f"{problem.field} {problem.message} [{problem.code}]", PayProWarning, stacklevel=3)
        return intent

    def intent_again(self, intent: Intent) -> Intent:
        """One that was checked and given its place before, by the settings of this client."""
        return evolve(intent, settle_after=self.settle_after, resend=self.resend)

    def intent_of(self, fields: Mapping[str, Any], trade_no: str) -> Intent:
        """The same for fields under a number that is given; what is advised against stands in its warnings alone.

        Raises:
            InvalidPayoutError: With every wrong field.
        """
        return self._prepared(fields_of(self.spec, HiddenFields(fields, trade_no=trade_no)), trade_no, _NO_PLACE)

    def problems(self, fields: Mapping[str, Any]) -> Sequence[Problem]:
        """Every wrong field of a payout that is given by its *fields*; nothing is numbered, stored or warned of."""
        number = fields.get("trade_no")
        try:
            given = fields_of(self.spec, HiddenFields(fields), defaults=self.defaults)
            self._prepared(given, "0" if number is None else number, _NO_PLACE)
        except InvalidPayoutError as error:
            return error.problems
        return ()

    def _prepared(self, payout: Any, trade_no: Any, place: tuple[str | None, int | None]) -> Intent:
        return prepare(
            self.spec,
            payout,
            merchant_no=self.merchant_no,
            trade_no=trade_no,
            defaults=self.defaults,
            settle_after=self.settle_after,
            resend=self.resend,
            place=place,
        )

    def _given(self, payout: Any, fields: Mapping[str, Any]) -> Any:
        """The payout as its model or as all fields of that."""
        if payout is None:
            return fields_of(self.spec, fields, defaults=self.defaults)
        if fields:
            raise TypeError("payout() takes a Payout or keyword arguments, not both")
        if isinstance(payout, self.spec.model):
            return payout
        if isinstance(payout, HiddenFields):
            return fields_of(self.spec, payout, defaults=self.defaults)
        raise TypeError(f"payout must be a {self.spec.name} Payout or a mapping of its fields")
