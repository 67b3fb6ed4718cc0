"""What the trade calls the columns of a payout file, in one table. docs/bulk.md shows it, and a test compares the two.

Names are compared without case, blanks, signs and invisible characters, and with the usual short forms: ``A/c``, ``Ac``
and ``Acct`` are accounts, ``No``, ``No.``, ``#`` and ``Number`` are one, and so are ``Bene`` and ``Beneficiary``.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from attrs import field, frozen

from paypro_async._core.regions import RegionSpec
from paypro_async.bulk.cells.invisible import without_invisible

__all__ = ["TRADE_NAMES", "ColumnNames", "CurrencyColumn", "Names", "key"]


@frozen
class Names:
    """The names of one field's column.

    Args:
        sure: Mean the field wherever they stand; two such columns are one too many.
        possible: Mean it if no other column does, the first of them before the others.
    """

    sure: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


TRADE_NAMES: Mapping[str, Names] = {
    "amount": Names(
        sure=(
            "Payout Amount",
            "Payment Amount",
            "Transfer Amount",
            "Transaction Amount",
            "Txn Amount",
            "Instrument Amount",
            "Payable Amount",
            "Amount Payable",
            "Amount to Pay",
        ),
        possible=("Net Amount", "Net Pay", "Net Payable", "Net Salary", "Salary"),
    ),
    "name": Names(
        sure=(
            "Beneficiary Name",
            "Beneficiary",
            "Name of Beneficiary",
            "Payee",
            "Payee Name",
            "Account Holder",
            "Account Holder Name",
            "Account Name",
            "Fund Account Name",
        ),
        possible=("Full Name", "Recipient Name", "Employee Name", "Vendor Name", "Contact Name"),
    ),
    "mobile": Names(
        sure=("Mobile No", "Beneficiary Mobile", "Beneficiary Mobile No", "Contact Mobile", "Mobile Phone"),
        possible=("Phone", "Phone No", "Contact No", "Contact Phone", "Beneficiary Phone", "Contact", "Cell"),
    ),
    "email": Names(
        sure=("Email ID", "Email Address", "Beneficiary Email", "Beneficiary Email ID", "Payee Email", "Mail ID"),
        possible=("Contact Email", "Mail"),
    ),
    "bank_number": Names(
        sure=(
            "Account No",
            "Account",
            "Bank Account",
            "Bank Account No",
            "Beneficiary Account",
            "Beneficiary Account No",
            "Beneficiary Bank Account No",
            "Payee Account No",
            "Credit Account No",
            "Fund Account No",
            "Recipient Account No",
        ),
    ),
    "bank_code": Names(
        sure=(
            "IFSC",
            "IFSC Code",
            "IFSC No",
            "IFC Code",
            "Bank IFSC",
            "Bank IFSC Code",
            "Branch IFSC",
            "Branch IFSC Code",
            "Beneficiary IFSC",
            "Beneficiary IFSC Code",
            "Beneficiary Bank IFSC",
            "Beneficiary Bank IFSC Code",
            "Fund Account IFSC",
            "bankNCode",
        ),
    ),
    "ip_address": Names(),
    "notify_url": Names(possible=("Callback URL",)),
    "remark": Names(
        possible=(
            "Remarks",
            "Narration",
            "Payout Narration",
            "Payment Narration",
            "Payment Remarks",
            "Beneficiary Remarks",
            "Purpose",
            "Purpose of Payment",
            "Payout Purpose",
        ),
    ),
    "trade_no": Names(possible=("Order No", "Order ID", "Merchant Order No", "Transfer ID", "Unique ID")),
}
"""By field. ``Reference No``, ``Customer Ref`` and their like are not in it, since many files have the same one each
month; ``--map`` takes them."""

_SHORT = {
    "ac": "account",
    "acc": "account",
    "acct": "account",
    "amt": "amount",
    "ben": "beneficiary",
    "bene": "beneficiary",
    "benef": "beneficiary",
    "mob": "mobile",
    "no": "number",
    "nos": "number",
    "num": "number",
    "nbr": "number",
    "txn": "transaction",
    "#": "number",
}
_UNITS = {"INR": frozenset({"inr", "rs", "rupee", "rupees", "\N{INDIAN RUPEE SIGN}", "\N{RUPEE SIGN}"})}
_COINS = "paise paisa paisas cents $ \u20ac \u00a3 \u00a5 %"
_CURRENCIES = "usd eur gbp aed sgd aud cad jpy cny hkd sar qar kwd omr bhd myr thb idr php vnd bdt pkr lkr"
_IN_WORDS = (
    "dollar dollars euro euros pounds thousand thousands lakh lakhs lac lacs crore crores cr k million millions 000"
)
_OTHER_UNITS = frozenset(f"{_COINS} {_CURRENCIES} {_IN_WORDS}".split())
_NET = frozenset({"net", "netpay", "payable", "final", "takehome", "inhand", "disbursed", "disbursement"})
# Such a word makes of it a date, a place or a text.
_NOT_PAID = frozenset(
    {
        "account",
        "at",
        "bank",
        "banking",
        "by",
        "city",
        "code",
        "date",
        "days",
        "location",
        "method",
        "mode",
        "month",
        "name",
        "number",
        "on",
        "place",
        "status",
        "to",
        "type",
        "weight",
        "words",
    }
)
_TAXES = frozenset({"tax", "tds", "gst", "cgst", "sgst", "igst", "vat", "cess"})
_CURRENCY_NAMES = frozenset(
    key_ + end
    for key_ in ("", "payment", "payout", "transaction", "amount", "transfer")
    for end in ("currency", "currencycode", "ccy", "cur", "curr")
)
_FILLING = frozenset({"in", "the"})
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_ABBREVIATED = re.compile(r"\ba\s*/\s*c\b|\ba\.\s*c\.")
_DROPPED = {at: None for at in range(128) if unicodedata.category(chr(at))[0] in "PZC"}
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def key(name: str) -> str:
    """``bank_number``, ``Bank Number``, ``bank-number``, ``Bank Number*`` and the platform's ``bankNumber`` are one."""
    if name.isascii():  # as nearly all are: the same in a third of the time
        return name.casefold().translate(_DROPPED)
    text = unicodedata.normalize("NFKC", without_invisible(name)).casefold()
    return "".join(one for one in text if unicodedata.category(one)[0] not in "PZC")


def _words(name: str) -> list[str]:
    text = _HUMP.sub(" ", unicodedata.normalize("NFKC", without_invisible(name))).casefold()
    found = _WORD.findall(_ABBREVIATED.sub("account", text.replace("'s", "").replace("e-mail", "email")))
    kept = [one for one in found if one.isalnum() or one in "#%" or unicodedata.category(one) == "Sc"]
    return [_SHORT.get(one, one) for one in kept]


def _units(currency: str) -> frozenset[str]:
    return _UNITS.get(currency, frozenset({currency.casefold()}))


def _spoken(name: str) -> str:
    return "".join(_words(name)) or key(name)


@frozen
class CurrencyColumn:
    """A column that says in which currency each amount is.

    Args:
        at: Its position.
        code: The currency that is paid, ISO 4217.
    """

    at: int
    code: str

    def is_other(self, text: str) -> bool:
        """Whether a cell names another currency; an empty one names none."""
        return bool(found := "".join(_words(text))) and found not in _units(self.code)


@frozen(eq=False)
class ColumnNames:
    """The names by which a region's fields are found.

    Args:
        spec: The region.
        given: What the caller calls columns: field names by :func:`key` of a column; an empty one is no field.
    """

    spec: RegionSpec
    given: Mapping[str, str] = field(factory=dict)

    def field_of(self, name: str) -> tuple[str, int] | None:
        """The field that a column may hold, and its rank; None if it is no field.

        The rank is -1 if the caller named the column, 0 for the names of this project and the platform, 1 for what
        surely means the field, and more for what may mean it.
        """
        found = key(name)
        if found in self.given:
            return (self.given[found], -1) if self.given[found] else None
        if found in self.own:
            return self.own[found], 0
        for said in (_spoken(name), found):
            if said in self._trade:
                return self._trade[said]
        return ("amount", 1) if self._amount_unit(name) == "" else None

    def wrong_unit(self, name: str) -> str | None:
        """The unit of a column of amounts that is not the region's, as ``paise``; None for any other column."""
        return self._amount_unit(name) or None

    def may_be_amount(self, name: str) -> bool:
        """Whether a column may hold what is paid, as ``Net Amt`` does beside an ``Amount`` that is gross."""
        found = self.field_of(name)
        if found is not None or key(name) in self.given:
            return found is not None and found[0] == "amount"
        words = _words(name)
        pairs = {*words, *map("".join, itertools.pairwise(words))}
        return bool(pairs & _NET) and not pairs & _NOT_PAID and not (words and words[0] in _TAXES)

    def currency_column(self, names: Sequence[str], *, skip: Collection[int]) -> CurrencyColumn | None:
        """The column that says in which currency each amount is; None if there is none."""
        for at, name in enumerate(names):
            if at not in skip and key(name) not in self.given and _spoken(name) in _CURRENCY_NAMES:
                return CurrencyColumn(at, self.spec.currency)
        return None

    @cached_property
    def own(self) -> dict[str, str]:
        """The fields by the names that this project and the platform give them."""
        names = {"amount": "amount", "trade_no": "trade_no", "tradeNo": "trade_no"}
        names |= {one.name: one.name for one in self.spec.fields} | {one.wire: one.name for one in self.spec.fields}
        return {key(name): one for name, one in names.items()}

    @cached_property
    def _trade(self) -> dict[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        for one in ("amount", "trade_no", *(one.name for one in self.spec.fields)):
            names = TRADE_NAMES.get(one, Names())
            ranked = [(name, 1) for name in names.sure]
            ranked += [(name, rank) for rank, name in enumerate(names.possible, 2)]
            # In one word too, as in "ifsccode", where no short form can be told.
            found |= {said: (one, rank) for name, rank in ranked for said in (_spoken(name), key(name))}
            found.setdefault(_spoken(one), (one, 1))
        return found

    def _amount_unit(self, name: str) -> str | None:
        """The unit in the name of a column of amounts, empty if it is the region's; None if it is no such column."""
        words = _words(name)
        own = _units(self.spec.currency)
        units = [one for one in words if one in own or one in _OTHER_UNITS]
        rest = "".join(one for one in words if one not in units and one not in _FILLING)
        if not units or self._trade.get(rest, ("", 0))[0] != "amount":
            return None
        return next((one for one in units if one not in own), "")
