import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder on a disk: of one in memory the doctor says that the next start of the machine takes a ledger away."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()
