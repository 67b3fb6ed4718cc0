import copy
import inspect
import pickle
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from paypro_async import errors
from paypro_async._core.errors import Problem
from paypro_async._core.items import ItemStatus
from paypro_async._core.known import KnownPayout
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async.errors import (
    CredentialsRefusedError,
    InvalidPayoutError,
    NotFinalError,
    NotSentError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayoutFailedError,
    PayProError,
    PayProWarning,
    QuestionFailedError,
    RateLimitedError,
)

CLASSES = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, PayProError)]
RESULT = PayoutResult(trade_no="T1", status=PayoutStatus.FAILED, amount=Decimal(300), currency="INR", code="7")
NOW = datetime(2026, 11, 27, tzinfo=UTC)
KNOWN = KnownPayout(
    trade_no="T1",
    status=ItemStatus.PROCESSING,
    result=None,
    amount=Decimal(300),
    currency="INR",
    attempts=1,
    batch_id=None,
    created_at=NOW,
    updated_at=NOW,
)
EVERY = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def made(kind: type[PayProError]) -> PayProError:
    """One error of each class, with all its data."""
    if issubclass(kind, InvalidPayoutError):
        return kind([Problem("mobile", "MOBILE_FORMAT", "must be 10 digits")], trade_no="T1")
    if issubclass(kind, OutcomeNotRecordedError | PayoutFailedError):
        return kind("What happened.", result=RESULT, trade_no="T1")
    if issubclass(kind, NotFinalError):
        return kind("What happened.", payout=KNOWN, trade_no="T1")
    if issubclass(kind, QuestionFailedError):
        return kind("What happened.", trade_no="T1", platform_code="7", platform_message="words")
    if issubclass(kind, NotSentError | OutcomeUnknownError):
        return kind("What happened.", trade_no="T1", attempts=3, elapsed=2.5)
    return kind("What happened.", trade_no="T1")


def drawn_tree() -> dict[str, str | None]:
    """Each class of the drawing in the module's docstring, and the one that it hangs from."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():
        found = re.match(r"( *(?:[│ ] {3})*(?:[├└]── )?)(PayPro\w+|\w+Error)\b", line)
        if found and line.startswith("    "):
            depth = (len(found[1]) - 4) // 4
            parents[found[2]] = path[depth - 1] if depth else None
            path[depth:] = [found[2]]
    return parents


def test_the_tree_in_the_documentation_is_the_tree_of_the_classes():
    """No class is missing from it, none hangs elsewhere."""
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}
    assert drawn_tree() == real | {"PayProError": None}
    assert len(drawn_tree()) > 15


def test_every_error_is_public():
    """And nothing else of the module is."""
    assert set(errors.__all__) == {kind.__name__ for kind in CLASSES} | {
        "PayProDeprecationWarning",
        "PayProWarning",
        "Problem",
    }


@EVERY
def test_every_error_says_when_what_is_certain_and_what_to_do(kind: type[PayProError]):
    """In its own docstring: at least what happened and what it means for the money."""
    text = kind.__dict__.get("__doc__") or ""
    assert text.rstrip().endswith(".")
    if kind is not PayProError:
        prose = text.partition("Attributes:")[0]
        assert len(re.findall(r"\.\s", prose + " ")) >= 2
        certain = r"(?i)nothing was|no byte|did not take|money (may|moved|came)|(moves|no) (no )?money|still holds"
        assert re.search(certain, prose)


@EVERY
def test_an_error_survives_pickling_and_copying(kind: type[PayProError]):
    """It may cross a process pool; its data, its text and its notes arrive."""
    error = made(kind)
    error.add_note("seen on row 7")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  our own bytes
        assert type(other) is kind
        assert str(other) == str(error)
        assert other.args == error.args
        assert vars(other) == vars(error)
        assert other.money_may_have_moved == error.money_may_have_moved


def test_what_is_set_later_survives_pickling_too():
    """The platform's code and its wish to wait."""
    limited, refused = RateLimitedError("x", trade_no="T1"), CredentialsRefusedError("x")
    limited.retry_after = 7.0
    refused.platform_code, refused.platform_message = "1002", "sign error"
    copied = pickle.loads(pickle.dumps([limited, refused]))  # noqa: S301  our own bytes
    assert copied[0].retry_after == 7.0
    assert (copied[1].platform_code, copied[1].platform_message) == ("1002", "sign error")


def test_an_own_subclass_survives_pickling():
    """Applications derive from these."""
    copied = pickle.loads(pickle.dumps(OwnError("x", colour="red")))  # noqa: S301  our own bytes
    assert (type(copied), copied.colour, copied.trade_no) == (OwnError, "red", "T9")


class OwnError(OutcomeUnknownError):
    def __init__(self, message: str, *, colour: str) -> None:
        super().__init__(message, trade_no="T9")
        self.colour = colour


@EVERY
def test_every_error_can_be_caught_as_one(kind: type[PayProError]):
    """And knows which payout it is about."""
    error = made(kind)
    assert isinstance(error, PayProError)
    assert error.trade_no == "T1"
    assert isinstance(error.money_may_have_moved, bool)


@EVERY
def test_money_may_have_moved_only_where_nobody_knows(kind: type[PayProError]):
    """An unknown outcome, one that could not be stored, and one that was not waited for to its end."""
    unknown = issubclass(kind, OutcomeUnknownError | OutcomeNotRecordedError | NotFinalError)
    assert made(kind).money_may_have_moved is unknown


def test_errors_are_what_the_language_would_raise_too():
    """A wrong value is a ValueError, a use at the wrong time a RuntimeError."""
    assert issubclass(InvalidPayoutError, ValueError)
    assert issubclass(errors.ClientStateError, RuntimeError)
    assert issubclass(PayProWarning, UserWarning)
    assert not issubclass(PayProWarning, PayProError)


def test_an_invalid_payout_lists_every_problem():
    """Field, message and code of each; and as data."""
    problems = [Problem("mobile", "MOBILE_FORMAT", "must be 10 digits"), Problem("email", "REQUIRED", "is missing")]
    error = InvalidPayoutError(problems, trade_no="T1")
    assert str(error) == (
        "The payout is not valid and nothing was sent: "
        "mobile: must be 10 digits [MOBILE_FORMAT]; email: is missing [REQUIRED]."
    )
    assert error.problems == tuple(problems)


def test_the_data_of_an_error_is_where_its_docstring_says():
    """Every name under Attributes exists on the error."""
    for kind in CLASSES:
        error = made(kind)
        for name in re.findall(r"^ +(\w+): ", (kind.__doc__ or "").partition("Attributes:")[2], re.MULTILINE):
            assert hasattr(error, name), (kind, name)
    assert made(PayoutFailedError).platform_code == "7"  # type: ignore[attr-defined]
