"""Draw the diagrams of the docs from the tables in the code: `python docs/diagrams.py` writes docs/images/*.svg.

Each is there twice, for a light and for a dark page. The tests see that the files are in step with the code.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from drawing import DARK, LIGHT, WIDTH, Drawing, Palette

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import FINAL, LEGAL, Cause, Entry, State
from paypro_async._core.retry import BELIEVED_ABSENCES, Action, RetryPolicy, Situation, next_step
from paypro_async._core.transitions import after_attempt
from paypro_async._core.verdict import Outcome, Verdict

HERE = Path(__file__).parent
_KINDS: Mapping[State, str] = {
    State.NEW: "plain",
    State.SENDING: "open",
    State.PROCESSING: "open",
    State.MISSING: "open",
    State.SUCCEEDED: "good",
    State.FAILED: "bad",
    State.REVERSED: "bad",
    State.REVIEW: "person",
}
_OPEN = (State.NEW, State.SENDING, State.PROCESSING, State.MISSING)
_PLACES: Mapping[State, tuple[int, int]] = {
    State.NEW: (24, 44),
    State.SENDING: (206, 44),
    State.MISSING: (24, 134),
    State.PROCESSING: (206, 134),
    State.SUCCEEDED: (12, 268),
    State.FAILED: (129, 268),
    State.REVIEW: (246, 268),
    State.REVERSED: (12, 376),
}
_BOX, _BOX_BELOW = (130, 46), (102, 46)
# Which way each arrow takes, from a box to another; the arrows themselves are those of the code.
_WAYS: Mapping[tuple[State, State], tuple[tuple[int, int], ...]] = {
    (State.NEW, State.SENDING): ((154, 58), (206, 58)),
    (State.SENDING, State.NEW): ((206, 76), (154, 76)),
    (State.NEW, State.PROCESSING): ((140, 90), (214, 134)),
    (State.SENDING, State.PROCESSING): ((271, 90), (271, 134)),
    (State.PROCESSING, State.MISSING): ((206, 148), (154, 148)),
    (State.MISSING, State.PROCESSING): ((154, 166), (206, 166)),
    (State.SUCCEEDED, State.REVERSED): ((46, 314), (46, 376)),
    (State.FAILED, State.REVIEW): ((231, 282), (246, 282)),
    (State.REVERSED, State.REVIEW): ((114, 399), (312, 399), (312, 314)),
    (State.REVIEW, State.FAILED): ((270, 314), (270, 336), (180, 336), (180, 314)),
    (State.REVIEW, State.SUCCEEDED): ((286, 314), (286, 352), (82, 352), (82, 314)),
}


def lifecycle(palette: Palette) -> Drawing:
    """The states of a payout. A dashed arrow is a person's; one out of the frame is one out of each state in it."""
    drawing = Drawing(palette, 428)
    drawing.box((8, 8), (344, 196), [], kind="group")
    drawing.text((WIDTH // 2, 28), "open: its end is still to come")
    moves = {pair for pair in LEGAL if pair[0] is not pair[1]}
    for end, x in ((State.SUCCEEDED, 63), (State.FAILED, 180), (State.REVIEW, 286)):
        from_all = {(state, end) for state in _OPEN}
        if not from_all <= moves:
            raise ValueError(f"not every open state leads to {end}")
        moves -= from_all
        drawing.arrow((x, 204), (x, 268))
    to_open = {(State.REVIEW, state) for state in _OPEN} & moves
    if to_open != {(State.REVIEW, State.NEW), (State.REVIEW, State.PROCESSING)}:
        raise ValueError("a person decides otherwise than the diagram says")
    drawing.arrow((334, 268), (334, 204), dashed=True)
    for pair in sorted(moves - to_open):
        drawing.arrow(*_WAYS[pair], dashed=LEGAL[pair] == {Cause.PERSON})
    for state in State:
        size = _BOX if state in _OPEN else _BOX_BELOW
        shown = ItemStatus.of(state)
        also = [f"shown as {shown}"] if shown != state else ["a person"] if state is State.REVIEW else []
        also = also or (["final"] if state in FINAL else [])
        drawing.box(_PLACES[state], size, [str(state), *also], kind=_KINDS[state])
    drawing.text((136, 418), "dashed: only a person takes this way", middle=False)
    return drawing


_LAYERS: Mapping[str, str] = {
    "cli": "the paypro command",
    "testing": "for the tests of users",
    "sandbox": "a local platform",
    "integrations": "frameworks, engines",
    "bulk": "files of payouts",
    "client": "what users call",
    "batch": "many payouts",
    "tracking": "what became of them later",
    "hooks": "tells metrics and traces",
    "engine": "one payout",
    "settings": "the environment",
    "transport": "HTTP",
    "ledger": "what is remembered",
    "runtime": "clocks, sleep, dice",
    "report": "what a batch came to",
    "log": "the logger",
    "process": "which process this is",
    "errors": "the error tree",
    "events": "what hooks are told",
    "_core": "decides: no I/O, no clock",
}


def layers(palette: Palette) -> Drawing:
    """Which part may import which: every one those below it."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [one for one in project["tool"]["importlinter"]["contracts"] if one["id"] == "layers"]
    rows = [[name.strip(" ()") for name in layer.split("|")] for layer in contract["layers"]]
    rows = [row for row in rows if row != ["__main__"]]
    drawing = Drawing(palette, 16 + len(rows) * 50)
    for number, row in enumerate(rows):
        width = (WIDTH - 36 - 8 * (len(row) - 1)) // len(row)
        kind = "open" if row == ["client"] else "good" if row == ["_core"] else "plain"
        for place, name in enumerate(row):
            at = (8 + place * (width + 8), 8 + number * 50)
            drawing.box(at, (width, 42), [name, _LAYERS[name]], kind=kind)
    drawing.arrow((346, 12), (346, 4 + len(rows) * 50))
    return drawing


_REPLIES: Mapping[Verdict, tuple[str, ...]] = {
    Verdict.PAID: ("paid",),
    Verdict.PROCESSING: ("taken, processing",),
    Verdict.PARTIAL: ("paid in part, or", "another sum"),
    Verdict.FAILED: ("the order failed", "(a listed code)"),
    Verdict.REFUSED: ("refused", "(a listed code)"),
    Verdict.UNLISTED: ("refused or failed", "(a code of no list)"),
    Verdict.DUPLICATE: ("number used before",),
    Verdict.FOREIGN: ("another's order",),
    Verdict.NOT_SENT: ("no byte left",),
    Verdict.RATE_LIMITED: ("too many requests", "(HTTP 429)"),
    Verdict.BAD_CREDENTIALS: ("caller refused", "(signature, account)"),
    Verdict.UNKNOWN: ("no clear reply", "(lost, cut, HTTP 5xx)"),
}
# Of a query alone: no request to pay is answered so.
_OF_QUERIES = {Verdict.NO_SUCH_ORDER, Verdict.QUESTION_REFUSED, Verdict.FOREIGN}
_NEXT: Mapping[State, str] = {
    State.NEW: "may be sent again",
    State.SENDING: "the platform is asked",
    State.PROCESSING: "its end is awaited",
    State.SUCCEEDED: "final",
    State.FAILED: "final",
    State.REVIEW: "a person decides",
}


def _first_attempt() -> Entry:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Entry(
        merchant_no="1", trade_no="T1", region="india", fingerprint="f", amount=Decimal(300), currency="INR",
        content={}, state=State.SENDING, attempt=1, sent_at=now, age=0.0, created_at=now, updated_at=now,
    )  # fmt: skip


def replies(palette: Palette) -> Drawing:
    """What the reply to a first request to pay makes of the payout."""
    verdicts = [verdict for verdict in Verdict if verdict not in _OF_QUERIES]
    drawing = Drawing(palette, 40 + len(verdicts) * 50)
    drawing.text((88, 22), "the platform says")
    drawing.text((276, 22), "then the payout is")
    for number, verdict in enumerate(verdicts):
        top = 34 + number * 50
        outcome = Outcome(verdict=verdict, amount=Decimal(300))
        change = after_attempt(_first_attempt(), outcome, sent=1)
        state = State.SENDING if change is None else change.to
        drawing.box((8, top), (164, 42), _REPLIES[verdict])
        drawing.arrow((172, top + 21), (200, top + 21))
        drawing.box((200, top), (152, 42), [str(ItemStatus.of(state)), _NEXT[state]], kind=_KINDS[state])
    return drawing


_ACTIONS: Mapping[str, tuple[str, str]] = {
    "SEND": ("send", "good"),
    "ASK": ("ask the platform", "open"),
    "BELIEVE": ("never arrived", "plain"),
    "WAIT": ("look again later", "plain"),
    "FINISH": ("end", "plain"),
}


def _situations() -> Iterator[tuple[tuple[str, ...], Situation]]:
    yield ("new", "never tried"), Situation(state=State.NEW)
    yield ("not sent", "tries are left"), Situation(state=State.NEW, sends=1, max_attempts=4, last=Verdict.NOT_SENT)
    yield ("not sent", "no try is left"), Situation(state=State.NEW, sends=4, max_attempts=4, last=Verdict.NOT_SENT)
    yield ("unknown", "within the settle window"), Situation(state=State.SENDING, sends=1, age=5.0, window=60.0)
    found = Situation(state=State.SENDING, sends=1, age=90.0, window=60.0, asked=3, absences=BELIEVED_ABSENCES)
    yield ("unknown", "twice not found after it"), found
    yield ("missing", "taken, then not found"), Situation(state=State.MISSING)
    yield ("final", "paid, failed, reversed"), Situation(state=State.SUCCEEDED)
    yield ("review", "a person decides"), Situation(state=State.REVIEW)


def flow(palette: Palette) -> Drawing:
    """One payout, from the call to its result; in the middle the question that is asked after each step."""
    steps = [
        ("checked", "wrong fields never reach the network"),
        ("stored as an intent", "before the first byte leaves"),
        ("what now?", "decided from what is stored"),
    ]
    situations = list(_situations())
    drawing = Drawing(palette, 3 * 62 + 12 + len(situations) * 50 + 58)
    for number, lines in enumerate(steps):
        drawing.box((36, 8 + number * 62), (288, 42), lines, kind="person" if number == 2 else "plain")
        drawing.arrow((WIDTH // 2, 50 + number * 62), (WIDTH // 2, 70 + number * 62))
    top = 198
    for number, (lines, situation) in enumerate(situations):
        y = top + number * 50
        step = next_step(situation, RetryPolicy(), chance=0.5)
        does, kind = _ACTIONS[step.action.name]
        drawing.box((8, y), (176, 42), lines)
        drawing.arrow((184, y + 21), (206, y + 21))
        pause = ["after a pause"] if step.delay else []
        pause = ["again, or review"] if step.action is Action.BELIEVE else pause
        drawing.box((206, y), (146, 42), [does, *pause], kind=kind)
    end = top + len(situations) * 50
    drawing.arrow((279, end - 8), (279, end + 8))
    drawing.box((36, end + 8), (288, 42), ["stored", "each answer; and then: what now?"], kind="person")
    return drawing


DIAGRAMS: Mapping[str, tuple[Callable[[Palette], Drawing], str]] = {
    "flow": (flow, "How one payout is paid"),
    "lifecycle": (lifecycle, "The states of a payout"),
    "replies": (replies, "What each reply makes of a payout"),
    "layers": (layers, "The layers of the package"),
}


def files() -> dict[Path, str]:
    """Each file and what it holds."""
    return {
        HERE / "images" / f"{name}-{theme}.svg": draw(palette).svg(title)
        for name, (draw, title) in DIAGRAMS.items()
        for theme, palette in (("light", LIGHT), ("dark", DARK))
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, encoding="utf-8")
