"""The rooms of the package: few files in each, and no two names that a reader could take for one another."""

import itertools
from pathlib import Path

import paypro_async

PACKAGE = Path(paypro_async.__file__).parent
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem not in ("__init__", "__main__")]


def differ_by_one_letter(one: str, other: str) -> bool:
    """Whether one letter put in, taken out or replaced makes the one out of the other."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or short == long:
        return False
    same = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[same:] == long[same + 1 :] or (len(short) == len(long) and short[same + 1 :] == long[same + 1 :])


def test_a_letter_that_is_put_in_or_replaced_is_seen() -> None:
    """Or the test below could not fail."""
    assert differ_by_one_letter("flight", "flights")
    assert differ_by_one_letter("http", "httpx")
    assert differ_by_one_letter("base", "case")
    assert not differ_by_one_letter("base", "base")
    assert not differ_by_one_letter("query", "rate")


def test_no_two_files_differ_by_one_letter() -> None:
    """``flight`` beside ``flights`` makes a reader open the wrong one."""
    names = sorted({path.stem for path in MODULES})
    assert [pair for pair in itertools.combinations(names, 2) if differ_by_one_letter(*pair)] == []


def test_no_room_is_crowded() -> None:
    """A folder of the package holds at most 18 files, the root at most 9; only the core is one subject with more."""
    counts = {folder: len(list(folder.glob("*.py"))) for folder in {path.parent for path in MODULES}}
    assert counts.pop(PACKAGE) <= 9
    counts.pop(PACKAGE / "_core")
    assert {str(folder.relative_to(PACKAGE)): count for folder, count in counts.items() if count > 18} == {}
