"""What README and docs say of the code is compared with it. What they show is run by `tests/docs`."""

import re
import sys

from tests.docs.pages import PAGES, ROOT, blocks_of


def test_the_table_of_states_is_that_of_the_code() -> None:
    """`python docs/lifecycle.py` has been run since the lifecycle changed."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import lifecycle
    finally:
        sys.path.pop(0)
    page = lifecycle.PAGE.read_text(encoding="utf-8")
    assert lifecycle.with_table(page) == page


def test_each_file_that_a_page_names_is_there() -> None:
    """`batch/scheduler.py` is a file of the package, `soak/test_kills.py` one of the tests, and both still exist."""
    homes = [ROOT, ROOT / "paypro_async", ROOT / "tests"]
    missing = [
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`((?:[\w-]+/)*[\w-]+(?:\.py|/))`", page.read_text(encoding="utf-8"))
        if not any((home / name).exists() for home in homes) and name not in {one.file for one in blocks_of(page)}
    ]
    assert missing == []
