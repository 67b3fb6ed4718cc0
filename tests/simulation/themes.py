"""Worlds in which one thing is so bad that what guards against it is needed. Many have only a bit of everything."""

import random
from collections.abc import Callable
from typing import Any

from attrs import evolve

from tests.simulation.weather import SAYS_NOTHING, Settings, Weather, drawn_weather, within_what_is_promised

_CALM = {
    "kills": 0.0,
    "freezes": 0.0,
    "cancels": 0.0,
    "ledger": 0.0,
    "deaf": 0.0,
    "lies": 0.0,
    "mistakes": 0.0,
    "refusals": 0.0,
    "unsent": 0.0,
    "vanish": 0.0,
}
_NOT_UNIQUE = {"unique": False, "laggard": False, "foreign": None, "copies": 0.0}
_SHORT = {"request_timeout": 0.1, "send_within": 0.05}  # shares of the settle window: the platform may lag the longer


def forecast(dice: random.Random) -> Weather:
    """The weather of one world."""
    weather = drawn_weather(dice)
    changes = THEMES[dice.choice(sorted(THEMES))](dice, weather)
    return within_what_is_promised(evolve(weather, **changes))


def _short(drawn: Weather) -> dict[str, float]:
    return {name: share * drawn.settle_after for name, share in _SHORT.items()}


def _booked_late(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_NOT_UNIQUE,
        "payouts": dice.choice((1, 2)),
        "lag": 0.98,
        "late": 0.8,
        "network": 0.6,
        "blips": True,
        "careless": False,
        "absent": "understood",
    }


def _answered_with_anything(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_CALM,
        **_short(drawn),
        "payouts": dice.choice((1, 2)),
        "lag": 0.98,
        "late": 0.8,
        "lies": 0.9,
        "network": dice.choice((0.0, 0.1)),
        "laggard": False,
    }


def _stopped(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_CALM,
        "payouts": 1,
        "processes": dice.choice((2, 3)),
        "freezes": 1.0,
        "early": True,
        "request_timeout": 0.45 * drawn.settle_after,
        "send_within": 0.1 * drawn.settle_after,
        "operator": None,
        "lag": 0.67,
        "network": 0.5,
        "resend": True,
        "laggard": False,
        "absent": "understood",
    }


def _sent_again_by_several(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_CALM,
        **_NOT_UNIQUE,
        "payouts": 1,
        "processes": 3,
        "network": 0.9,
        "slow_ledger": 0.3,
        "resend": True,
        "absent": "understood",
    }


def _unique_numbers(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        "payouts": dice.choice((1, 2)),
        "unique": True,
        "laggard": False,
        "copies": 0.0 if drawn.repeated in SAYS_NOTHING else 0.8,
        "foreign": dice.choice((None, "another amount", "the same")),
        "lies": 0.0,
        "refusals": 0.0,
        "network": dice.choice((0.0, 0.3, 0.6)),
    }


def _booked_too_late(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_CALM,
        "payouts": 1,
        "unique": True,
        "laggard": True,
        "late": 0.9,
        "repeated": dice.choice((drawn.repeated, *SAYS_NOTHING, *SAYS_NOTHING)),
        "foreign": None,
        "copies": 0.0,
        "network": 0.6,
        "resend": True,
        "absent": "understood",
    }


def _an_operator(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    """Who asks about what a service with longer windows has sent, or what must not be sent again."""
    settle = drawn.settle_after
    return {
        **_CALM,
        **_NOT_UNIQUE,
        **_short(drawn),
        "payouts": dice.choice((1, 2)),
        "processes": dice.choice((2, 3)),
        "operator": Settings(
            settle_after=0.1 * settle,
            request_timeout=0.03 * settle,
            send_within=0.02 * settle,
            resend=dice.random() < 0.7,
        ),
        "resend": dice.random() < 0.5,
        "lag": 0.98,
        "late": 0.8,
        "network": dice.choice((0.3, 0.6)),
        "kills": 0.5,
        "absent": "understood",
        "persons": 0.0,
    }


def _refused_and_booked(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    """Under a code that no page lists, on a platform that answers questions in one of four ways."""
    return {
        **_CALM,
        "payouts": dice.choice((1, 2, 3)),
        "mistakes": 0.5,
        "refusals": 0.3,
        "questions": dice.choice((0.0, 0.5)),
        "network": dice.choice((0.0, 0.1, 0.3)),
        "laggard": False,
        "repays": True,
    }


def _booked_as_an_afterthought(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_CALM,
        "payouts": dice.choice((1, 2)),
        "afterthoughts": True,
        "refusals": 0.9,
        "laggard": False,
        "repays": False,
        "persons": 0.0,
        "network": dice.choice((0.0, 0.1)),
    }


def _all_refused(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    """Every payout under one code, be it the rows' or the caller's; there are many of them."""
    return {
        **_CALM,
        "payouts": 12,
        "processes": dice.choice((1, 2)),
        "regime": dice.choice(("rows", "caller")),
        "until": dice.choice((0.5, 3.0, 1000.0)) * drawn.settle_after,
        "network": 0.0,
        "questions": 0.0,
        "unique": False,
        "laggard": False,
        "foreign": None,
        "edits": False,
        "persons": 0.0,
        "repays": dice.random() < 0.3,
    }


def _blind(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    """Its questions are out of order, and answered as if there were no order at all, under a code on no page."""
    return {
        **_CALM,
        **_NOT_UNIQUE,
        "payouts": dice.choice((1, 2)),
        "network": 0.6,
        "resend": True,
        "absent": dice.choice(("unlisted code", "unlisted status")),
        "blind_until": dice.choice((2.0, 5.0)) * drawn.settle_after,
        "persons": 0.0,
    }


def _restored(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        **_NOT_UNIQUE,
        **_short(drawn),
        "restores": True,
        "payouts": dice.choice((1, 2, 3)),
        "processes": dice.choice((1, 2, 3)),
        "operator": None,
        "vanish": 0.0,
        "repays": False,
        "persons": 0.0,
        "freezes": 0.0,
        "edits": False,
        "lag": 0.98,
        "late": 0.8,
        "absent": "understood",
    }


def _decided(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    """Much waits for a person, who is not always careful."""
    return {
        **_CALM,
        "payouts": dice.choice((1, 2)),
        "unique": False,
        "laggard": False,
        "resend": dice.random() < 0.5,
        "network": 0.3,
        "lag": 0.98,
        "late": dice.choice((0.3, 0.9)),
        "persons": 1.0,
        "careless": dice.random() < 0.8,
        "absent": "understood",
    }


def _vanished(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    return {
        "payouts": dice.choice((1, 2)),
        "laggard": False,
        "vanish": 0.7,
        "absent": "understood",
        "persons": dice.choice((0.0, 1.0)),
    }


def _doubled(dice: random.Random, drawn: Weather) -> dict[str, Any]:
    """Replies come twice, so that what is read next on their connection is meant for another request."""
    echo = dice.random() < 0.7
    # Without an echo only what is stored by then tells whose reply it is.
    calm = {} if echo else {**_CALM, "slow_ledger": 0.0}
    return {
        **calm,
        **_NOT_UNIQUE,
        "payouts": dice.choice((2, 3, 6, 6)),
        "processes": dice.choice((1, 1, 2)),
        "doubled": dice.choice((0.05, 0.3)),
        "echo": echo,
        "network": dice.choice((0.0, 0.1)),
        "refusals": dice.choice((0.0, 0.3)),
        "mistakes": 0.0,
        "persons": 0.0,
        "repays": dice.random() < 0.5,
    }


THEMES: dict[str, Callable[[random.Random, Weather], dict[str, Any]]] = {
    "all 1": lambda dice, drawn: {},
    "all 2": lambda dice, drawn: {},
    "all 3": lambda dice, drawn: {},
    "a restored ledger": _restored,
    "all are refused": _all_refused,
    "an operator beside a service": _an_operator,
    "answered with anything": _answered_with_anything,
    "blind": _blind,
    "booked as an afterthought": _booked_as_an_afterthought,
    "booked late": _booked_late,
    "decided by persons": _decided,
    "doubled replies": _doubled,
    "refused and booked": _refused_and_booked,
    "sent again by several": _sent_again_by_several,
    "stopped": _stopped,
    "unique numbers": _unique_numbers,
    "unique numbers, booked too late 1": _booked_too_late,
    "unique numbers, booked too late 2": _booked_too_late,
    "vanished orders": _vanished,
}
