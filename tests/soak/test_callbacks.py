"""A service that receives callbacks is killed at random; after its restart nothing is missing and all was told."""

from pathlib import Path

import pytest

from tests.soak.callbacks import receive_while_killed

pytestmark = [pytest.mark.trial, pytest.mark.timeout(600)]


async def test_a_service_that_is_killed_loses_nothing(database_url: str, tmp_path: Path):
    """Two workers on one ledger; each callback comes once or several times, in any order."""
    workers = 2 if database_url.startswith("sqlite") else 3
    found = await receive_while_killed(database_url, tmp_path, workers=workers, payouts=300, pause=0.5, seed=1)
    assert found.clean, str(found)
    assert found.kills >= 1
    assert found.answered == found.callbacks


@pytest.mark.long
@pytest.mark.parametrize(("defect", "what"), [("tells first", "untold"), ("answers first", "lost")])
async def test_a_defect_is_seen(tmp_path: Path, defect: str, what: str):
    """Or the trial could not fail."""
    url = f"sqlite:///{tmp_path / 'payouts.db'}"
    for seed in range(16):  # It takes a kill at the right moment, which comes in every other one.
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = await receive_while_killed(
            url.replace("payouts.db", f"{seed}.db"),
            folder,
            workers=2,
            payouts=600,
            pause=0.15,
            seed=seed,
            defect=defect,
        )
        if getattr(found, what):
            return
    raise AssertionError(f"{defect} was not seen: {found}")
