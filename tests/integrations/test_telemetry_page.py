"""docs/telemetry.md lists every span, attribute and metric, as the code has them."""

import importlib.util
import re
from pathlib import Path

from paypro_async.integrations.telemetry import ATTRIBUTES, METRICS, SPANS
from paypro_async.settings import KNOWN

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    """`python docs/telemetry_tables.py` has been run since they changed."""
    spec = importlib.util.spec_from_file_location("telemetry_tables", DOCS / "telemetry_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.with_tables(page) == page
    for name in [*(one.name for one in (*SPANS, *METRICS)), *ATTRIBUTES]:
        assert f"| `{name}`" in page


def test_what_the_page_names_is_there() -> None:
    page = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    names = {one.name for one in METRICS} | set(ATTRIBUTES) | {one.name for one in SPANS}
    named = set(re.findall(r"`(paypro\.[a-z_.]+|http\.[a-z_.]+)`", page))
    assert named <= names
    assert set(re.findall(r"\bPAYPRO_[A-Z_]+", page)) <= KNOWN
    for file in ("service.py", "prometheus.yml", "alerts.yml", "dashboard.json"):
        assert (DOCS.parent / "examples" / "telemetry" / file).is_file()
        assert f"{file}`" in page
