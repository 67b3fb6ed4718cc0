"""What kind of world a seed makes: how many payouts and processes, how bad everything is, and what is true of it."""

import random
from collections.abc import Callable
from typing import Any

from attrs import evolve, field, frozen

from paypro_async import Codes

PAYOUT_ACCEPTED = ("processing", "processing", "processing", "paid", "paid", "failed order")
PAYOUT_LIES = (
    "page 500",
    "page 502",
    "page 403",
    "garbage",
    "cut",
    "no data",
    "other order",
    "no status",
    "system code",
    "system status",
    "gateway code",
    "500 over refusal",
    "400 over accepted",
    "429 over accepted",
    "408 over refusal",
    "refusal with an order",
)
PAYOUT_REFUSED = (
    "refused",
    "refused, unlisted",
    "unknown code",
    "funds",
    "sign error",
    "merchant words",
    "429",
    "429 page",
    "failed, no order",
    "system code",
    "page 503",
    "garbage",
)
QUERY_LIES = ("page 500", "page 429", "garbage", "unknown code", "sign error", "other order", "system")
ABSENT = ("null", "missing", "empty", "bare code", "code")
REPEATED = ("duplicate code", "duplicate words", "409", "unknown words", "listed code")
_SAYS_NOTHING = ("unknown words", "listed code")


@frozen(kw_only=True)
class Weather:
    """Drawn once per world. Rates are shares between 0 and 1; times are seconds.

    Args:
        lag: From the arrival of a payout until a question finds it, at most. Together with *send_within* and
            *request_timeout* it is shorter than *settle_after*, as is documented; unless *laggard*.
        early: Whether the first process is stopped where a payout is announced and not yet written, until others send.
        late: Share of the bookings that are found as late as can be.
        unique: Whether the platform refuses a second order of one number.
        laggard: A platform that keeps numbers unique and books later than documented: sending again is then harmless.
    """

    payouts: int
    processes: int
    settle_after: float
    request_timeout: float
    send_within: float
    lag: float
    resend: bool
    late: float
    unique: bool
    repeated: str
    laggard: bool
    foreign: bool
    edits: bool
    blips: bool
    network: float
    unsent: float
    lies: float
    refusals: float
    questions: float
    ledger: float
    slow_ledger: float
    kills: float
    freezes: float
    early: bool
    cancels: float
    clocks: float
    copies: float
    codes: Codes = field(repr=False)  # sets, whose order is that of their hashes

    @property
    def spacing(self) -> float:
        return min(3.0, self.settle_after / 10)


def forecast(dice: random.Random) -> Weather:
    """The weather of one world."""
    settle = dice.choice((6.0, 6.0, 6.0, 10.0, 20.0, 60.0))
    request = settle * dice.choice((0.1, 0.25, 1 / 3, 0.45))
    send = settle * dice.choice((0.05, 1 / 6, 0.3))
    unique = dice.random() < 0.35
    laggard = unique and dice.random() < 0.3
    repeated = dice.choice(REPEATED)
    calm = dice.random() < 0.05

    def rate(*choices: float) -> float:
        drawn = dice.choice(choices)
        return 0.0 if calm else drawn

    drawn = Weather(
        payouts=dice.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 6)),
        processes=dice.choice((1, 1, 1, 2, 2, 3)),
        settle_after=settle,
        request_timeout=request,
        send_within=send,
        lag=(settle - request - send) * dice.choice((0.02, 0.5, 0.98)),
        late=0.25,
        resend=dice.random() < 0.85,
        unique=unique,
        repeated=repeated,
        laggard=laggard,
        foreign=unique and repeated not in _SAYS_NOTHING and dice.random() < 0.1,
        edits=dice.random() < 0.2,
        blips=dice.random() < 0.3,
        network=rate(0, 0.1, 0.3, 0.6),
        unsent=rate(0, 0, 0.1, 0.3),
        lies=rate(0, 0.05, 0.2, 0.5),
        refusals=rate(0, 0.05, 0.2, 0.4),
        questions=rate(0, 0, 0.1, 0.3),
        ledger=rate(0, 0, 0, 0.03, 0.15),
        slow_ledger=rate(0, 0, 0.05, 0.2),
        kills=rate(0, 0, 0.5, 1),
        freezes=rate(0, 0, 0.5, 1),
        early=False,
        cancels=rate(0, 0, 0.5, 1),
        clocks=rate(0, 0.5),
        copies=rate(0, 0, 0.3) if unique and repeated not in _SAYS_NOTHING else 0.0,
        codes=_CODES,
    )
    theme = _THEMES[dice.choice(sorted(_THEMES))]
    return drawn if calm else evolve(drawn, **theme(dice, drawn))


_CODES = Codes(no_such_order={"4040", "0404"})
_CALM = {"kills": 0.0, "freezes": 0.0, "cancels": 0.0, "ledger": 0.0, "lies": 0.0, "refusals": 0.0, "unsent": 0.0}
# Many worlds have a bit of everything. In the others one thing is so bad that what guards against it is needed.
_THEMES: dict[str, Callable[[random.Random, Weather], dict[str, Any]]] = {
    "all 1": lambda dice, drawn: {},
    "all 2": lambda dice, drawn: {},
    "booked late": lambda dice, drawn: {
        "payouts": dice.choice((1, 2)),
        "lag": 0.98 * (drawn.settle_after - drawn.request_timeout - drawn.send_within),
        "late": 0.8,
        "unique": False,
        "laggard": False,
        "foreign": False,
        "copies": 0.0,
        "network": 0.6,
        "blips": True,
    },
    "booked, and answered with anything": lambda dice, drawn: {
        **_CALM,
        "payouts": dice.choice((1, 2)),
        "request_timeout": 0.1 * drawn.settle_after,
        "send_within": 0.05 * drawn.settle_after,
        "lag": 0.98 * 0.85 * drawn.settle_after,
        "late": 0.8,
        "lies": 0.9,
        "network": dice.choice((0.0, 0.1)),
        "laggard": False,
    },
    "stopped": lambda dice, drawn: {
        **_CALM,
        "payouts": 1,
        "processes": dice.choice((2, 3)),
        "freezes": 1.0,
        "early": True,
        "request_timeout": 0.45 * drawn.settle_after,
        "send_within": 0.1 * drawn.settle_after,
        "lag": 0.3 * drawn.settle_after,
        "network": 0.5,
        "resend": True,
        "laggard": False,
    },
    "sent again by several": lambda dice, drawn: {
        **_CALM,
        "payouts": 1,
        "processes": 3,
        "network": 0.9,
        "slow_ledger": 0.3,
        "resend": True,
        "unique": False,
        "laggard": False,
        "foreign": False,
        "copies": 0.0,
    },
    "unique numbers": lambda dice, drawn: {
        "payouts": dice.choice((1, 2)),
        "unique": True,
        "laggard": False,
        "copies": 0.0 if drawn.repeated in _SAYS_NOTHING else 0.8,
        "lies": 0.0,
        "refusals": 0.0,
        "network": dice.choice((0.3, 0.6)),
    },
    "unique numbers, booked too late": lambda dice, drawn: {
        **_CALM,
        "payouts": 1,
        "unique": True,
        "laggard": True,
        "repeated": dice.choice((drawn.repeated, "unknown words", "listed code")),
        "foreign": False,
        "copies": 0.0,
        "network": 0.6,
        "resend": True,
    },
}


def settings(weather: Weather) -> dict[str, Any]:
    """The arguments of a client in that weather."""
    return {
        "settle_after": weather.settle_after,
        "request_timeout": weather.request_timeout,
        "send_within": weather.send_within,
        "resend": "after_settle" if weather.resend else "never",
        "codes": weather.codes,
    }
