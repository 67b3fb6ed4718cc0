"""What kind of world a seed makes: how many payouts and processes, how bad everything is, and what is true of it."""

import random
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
    "gateway name",
    "gateway text",
    "word as code",
    "blank behind the code",
    "success denied",
    "refusal that succeeded",
    "no msg",
    "busy words",
    "time-out words",
    "word as status",
    "short status",
    "paid in part",
    "500 over refusal",
    "400 over accepted",
    "429 over accepted",
    "408 over refusal",
    "refusal with an order",
)
"""Of a payout that is booked, and may be found later than that is said."""
PAYOUT_MISTAKES = ("unlisted code", "unlisted status", "429 after booking")
"""Of a payout that is booked too, by a platform that finds it from then on."""
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
    "failed, no order, unlisted",
    "system code",
    "busy words",
    "gateway name",
    "page 503",
    "garbage",
)
QUERY_LIES = ("page 500", "page 429", "garbage", "unknown code", "sign error", "other order", "gateway name", "system")
NO_ANSWERS = ("page 500", "page 429", "garbage", "gateway name")
ABSENT = {
    "understood": ("null", "missing", "empty", "bare code", "code"),
    "null": ("null",),
    "empty": ("empty",),
    "listed code": ("code",),
    "unlisted code": ("unlisted code",),
    "unlisted status": ("unlisted status",),
    "code of refusals": ("code of refusals",),
}
"""What a platform answers about a number that it does not know, by its way of doing so."""
REPEATED = ("duplicate code", "duplicate words", "409", "unknown words", "listed code")
SAYS_NOTHING = ("unknown words", "listed code")


@frozen(kw_only=True)
class Settings:
    """Those of one process, in seconds.

    Args:
        resend: Whether what never arrived is sent again.
    """

    settle_after: float
    request_timeout: float
    send_within: float
    resend: bool = True

    @property
    def spacing(self) -> float:
        """Between two questions that must both find nothing."""
        return min(3.0, self.settle_after / 10)

    @property
    def longest_lag(self) -> float:
        """From the arrival of a payout until a question finds it, at most, as is documented."""
        return self.settle_after - self.request_timeout - self.send_within


@frozen(kw_only=True)
class Weather:
    """Drawn once per world. Rates are shares between 0 and 1; times are seconds.

    Args:
        operator: The settings of some processes, which differ from those of the others; or None.
        lag: From the arrival of a payout until a question finds it, at most: a share of what is documented for the
            settings of the process that sent it. Unless *laggard*.
        early: Whether the first process is stopped where a payout is announced and not yet written, until others send.
        late: Share of the bookings that are found as late as can be.
        unique: Whether the platform refuses a second order of one number.
        laggard: A platform that keeps numbers unique and books later than documented: sending again is then harmless.
        foreign: Whether another system has used the first number: for ``"another amount"``, or ``"the same"``.
        echo: Whether replies to payouts repeat the remark.
        absent: What is answered about a number that is not known, see ``ABSENT``.
        mistakes: Share of the bookings that are answered with a code that no page lists.
        afterthoughts: Whether what was refused under such a code may be booked all the same, some time later.
        regime: Whose refusal every payout meets at first, under one code: ``"rows"`` or ``"caller"``, until *until*.
        blind_until: Until when no question finds any order, on a platform that says so in a way that is not understood.
        repays: Whether the merchant pays under a new number what is told to have failed.
        twins: Whether the first two payouts are for the same beneficiary, on purpose.
        restores: Whether the ledger is put back to an earlier copy.
        persons: Whether persons decide; *careless* ones decide what is not so.
        vanish: Share of the accepted orders that are not found any more, some for ever.
        breaks: Share of the batches whose source breaks.
        deaf: Share of the ledger's operations that never end.
        doubled: Share of the replies that come twice on their connection.
    """

    payouts: int
    processes: int
    settle_after: float
    request_timeout: float
    send_within: float
    operator: Settings | None
    lag: float
    resend: bool
    late: float
    unique: bool
    repeated: str
    laggard: bool
    foreign: str | None
    edits: bool
    blips: bool
    echo: bool
    absent: str
    network: float
    unsent: float
    lies: float
    mistakes: float
    afterthoughts: bool
    refusals: float
    questions: float
    ledger: float
    slow_ledger: float
    deaf: float
    kills: float
    freezes: float
    early: bool
    cancels: float
    clocks: float
    copies: float
    regime: str | None
    until: float
    blind_until: float
    repays: bool
    twins: bool
    restores: bool
    persons: float
    careless: bool
    vanish: float
    breaks: float
    doubled: float
    codes: Codes = field(repr=False)  # sets, whose order is that of their hashes

    @property
    def usual(self) -> Settings:
        """Those of most processes."""
        return Settings(
            settle_after=self.settle_after,
            request_timeout=self.request_timeout,
            send_within=self.send_within,
            resend=self.resend,
        )

    @property
    def spacing(self) -> float:
        """The shortest of all processes between two questions that must both find nothing."""
        return self.usual.spacing if self.operator is None else min(self.usual.spacing, self.operator.spacing)

    @property
    def shortest_timeout(self) -> float:
        """The shortest of all processes for one exchange."""
        return min(self.request_timeout, (self.operator or self.usual).request_timeout)

    @property
    def understood(self) -> bool:
        """Whether it says of a number that it does not know what every process understands."""
        return ABSENT[self.absent][0] in ABSENT["understood"]

    def arguments(self, mine: Settings) -> dict[str, Any]:
        """The arguments of a client with the settings *mine*."""
        return {
            "settle_after": mine.settle_after,
            "request_timeout": mine.request_timeout,
            "send_within": mine.send_within,
            "resend": "after_settle" if mine.resend else "never",
            "codes": self.codes,
        }


def drawn_settings(dice: random.Random, settle: float) -> Settings:
    """Settings that fit each other."""
    return Settings(
        settle_after=settle,
        request_timeout=settle * dice.choice((0.1, 0.25, 1 / 3, 0.45)),
        send_within=settle * dice.choice((0.05, 1 / 6, 0.3)),
        resend=dice.random() < 0.85,
    )


def drawn_weather(dice: random.Random) -> Weather:
    """A bit of everything, or a calm world."""
    usual = drawn_settings(dice, dice.choice((6.0, 6.0, 6.0, 10.0, 20.0, 60.0)))
    unique = dice.random() < 0.35
    laggard = unique and dice.random() < 0.3
    repeated = dice.choice(REPEATED)
    calm = dice.random() < 0.05

    def rate(*choices: float) -> float:
        drawn = dice.choice(choices)
        return 0.0 if calm else drawn

    return Weather(
        payouts=dice.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 6)),
        processes=dice.choice((1, 1, 1, 2, 2, 3)),
        settle_after=usual.settle_after,
        request_timeout=usual.request_timeout,
        send_within=usual.send_within,
        operator=drawn_settings(dice, usual.settle_after * dice.choice((0.1, 0.3, 3.0))) if rate(0, 0, 0, 1) else None,
        lag=dice.choice((0.02, 0.5, 0.98)),
        late=0.25,
        resend=usual.resend,
        unique=unique,
        repeated=repeated,
        laggard=laggard,
        foreign=dice.choice(("another amount", "the same")) if unique and dice.random() < 0.1 else None,
        edits=dice.random() < 0.2,
        blips=dice.random() < 0.3,
        echo=dice.random() < 0.5,
        absent=dice.choice(("understood", "understood", *ABSENT)),
        network=rate(0, 0.1, 0.3, 0.6),
        unsent=rate(0, 0, 0.1, 0.3),
        lies=rate(0, 0.05, 0.2, 0.5),
        mistakes=rate(0, 0, 0.1, 0.4),
        afterthoughts=False,
        refusals=rate(0, 0.05, 0.2, 0.4),
        questions=rate(0, 0, 0.1, 0.3),
        ledger=rate(0, 0, 0, 0.03, 0.15),
        slow_ledger=rate(0, 0, 0.05, 0.2),
        deaf=rate(0, 0, 0, 0, 0.02),
        kills=rate(0, 0, 0.5, 1),
        freezes=rate(0, 0, 0.5, 1),
        early=False,
        cancels=rate(0, 0, 0.5, 1),
        clocks=rate(0, 0.5),
        copies=rate(0, 0, 0.3),
        regime=None,
        until=0.0,
        blind_until=0.0,
        repays=dice.random() < 0.5,
        twins=dice.random() < 0.1,
        restores=False,
        persons=rate(0, 0, 0.5),
        careless=dice.random() < 0.3,
        vanish=rate(0, 0, 0, 0.2),
        breaks=rate(0, 0, 0.2),
        doubled=0.0,
        codes=CODES,
    )


def within_what_is_promised(weather: Weather) -> Weather:
    """The same without what nobody could tell apart, or no page promises."""
    changes: dict[str, Any] = {}
    if not weather.unique or weather.repeated in SAYS_NOTHING:
        # A platform that books twice what arrives twice, or says of the second that it was refused.
        changes |= {"copies": 0.0, "foreign": None}
    if weather.laggard:
        changes |= {"operator": None, "persons": 0.0, "vanish": 0.0, "mistakes": 0.0}
    if weather.careless:
        # One question alone stands between a wrong decision and the money.
        changes |= {"blips": False}
    if not weather.understood:
        changes |= {"vanish": 0.0}
    return evolve(weather, **changes) if changes else weather


CODES = Codes(no_such_order={"4040", "0404"})
