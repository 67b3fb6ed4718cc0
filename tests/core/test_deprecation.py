"""What is deprecated goes on working, says what to use instead, and goes when its day has come."""

import gc
import warnings
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

import paypro_async
from paypro_async import PayProDeprecationWarning, PayProWarning
from paypro_async._core.deprecation import Deprecated, attribute, renamed_argument, renamed_variable

GONE = Deprecated(
    name="slow",
    since="1.2",
    on=date(2026, 11, 1),
    until=date(2027, 11, 1),
    instead="Give 'calm'.",
)


@renamed_argument(GONE, old="slow", new="calm")
def pay(amount: int, *, calm: bool = False) -> tuple[int, bool]:
    return amount, calm


def test_an_argument_goes_on_working_under_its_old_name() -> None:
    """With a warning at the caller's own line."""
    with pytest.warns(
        PayProDeprecationWarning, match=r"deprecated since 1\.2 .* until 2027-11-01 .* Give 'calm'"
    ) as seen:
        assert pay(3, slow=True) == (3, True)  # type: ignore[call-arg]
    assert seen[0].filename == __file__
    assert issubclass(PayProDeprecationWarning, PayProWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pay(3, calm=True) == (3, True)


def test_both_names_at_one_time_are_refused() -> None:
    """Or one of two values would be passed over."""
    with pytest.raises(TypeError, match="both 'slow'"):
        pay(3, slow=True, calm=False)  # type: ignore[call-arg]


def test_a_name_that_has_moved_is_still_found() -> None:
    """And one that never was is none."""
    moved = {"old": (GONE, lambda: 5)}

    def look(name: str) -> int:
        found: int = attribute("m", name, moved)
        return found

    with pytest.warns(PayProDeprecationWarning):
        assert look("old") == 5
    with pytest.raises(AttributeError, match="'m' has no attribute 'new'"):
        look("new")


def test_a_variable_is_read_under_its_old_name_where_the_new_one_is_not_set() -> None:
    """The new one goes first."""
    with pytest.warns(PayProDeprecationWarning):
        assert renamed_variable(GONE, {"OLD": "a"}, old="OLD", new="NEW") == "a"
    assert renamed_variable(GONE, {"OLD": "a", "NEW": "b"}, old="OLD", new="NEW") == "b"
    assert renamed_variable(GONE, {}, old="OLD", new="NEW") is None


def test_nothing_is_taken_away_within_a_year() -> None:
    """As the policy says."""
    with pytest.raises(ValueError, match="a year at least"):
        Deprecated(name="x", since="1", on=GONE.on, until=GONE.on + timedelta(days=364), instead="")


def test_no_deprecation_of_the_package_has_outlived_its_day() -> None:
    """Whoever releases takes it away then, or gives it another day."""
    package = Path(paypro_async.__file__).parent
    for source in sorted(package.rglob("*.py")):
        if "Deprecated(" in source.read_text(encoding="utf-8") and source.stem != "deprecation":
            parts = source.relative_to(package.parent).with_suffix("").parts
            import_module(".".join(parts))
    alive = [one for one in gc.get_objects() if isinstance(one, Deprecated) and one is not GONE]
    assert [one for one in alive if one.until <= datetime.now(UTC).date()] == []
