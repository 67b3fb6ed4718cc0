"""The merchant's file: who is to be paid how often; and what it pays anew, having been told that it failed."""

from collections import Counter
from typing import Any

from attrs import evolve

from paypro_async import Payout
from tests.support.merchant import payout

_ACCOUNT = 10094038292
_MOST = 12
_AGAIN = "-again"


def _row(number: int, edit: int, *, twin: bool) -> Payout:
    other = 0 if twin and number == 1 else number
    amount, account = str(100 + 10 * other + edit), str(_ACCOUNT + other)
    return payout(f"T{number}", amount=amount, bank_number=account, ip_address=None)


# Each row as it is, and as somebody has edited it.
_ROWS = {twin: [[_row(number, edit, twin=twin) for edit in range(2)] for number in range(_MOST)] for twin in (0, 1)}


class Merchant:
    """Keeps the file.

    Args:
        rows: Each as it is, and as it was edited.
        promised: How often each account is to be paid.
    """

    def __init__(self, world: Any) -> None:
        self._world = world
        self.rows: list[list[Payout]] = list(_ROWS[world.weather.twins][: world.weather.payouts])
        self.promised = Counter(row.bank_number for row, _ in self.rows)
        self._anew: set[str] = set()

    def amount(self, trade_no: str) -> str | None:
        """What the row with that number pays; None if there is none."""
        return next((str(row.amount) for row, _ in self.rows if row.trade_no == trade_no), None)

    def hears_of_failure(self, row: Payout) -> Payout | None:
        """The row under another number, if the merchant pays it anew now: it was told that no money has moved."""
        known = str(row.trade_no)
        if not self._world.weather.repays or known in self._anew or known.count(_AGAIN) > 1:
            return None
        self._anew.add(known)
        again = evolve(row, trade_no=known + _AGAIN)
        self.rows.append([again, again])
        self._world.trace.met["paid anew under another number"] += 1
        return again
