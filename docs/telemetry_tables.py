"""Write the tables of spans, attributes and metrics into telemetry.md, from the code."""

from pathlib import Path

from paypro_async.integrations.telemetry import ATTRIBUTES, METRICS, SPANS

PAGE = Path(__file__).with_name("telemetry.md")
BEGIN = "<!-- {}: begin (python docs/telemetry_tables.py writes this from the code; the tests check it) -->\n"
END = "<!-- {}: end -->\n"


def metrics() -> str:
    """Each metric with its kind, its unit, what it says and what tells its numbers apart."""
    lines = ["| metric | what it says |", "| --- | --- |"]
    for one in METRICS:
        apart = f" By {_names(one.attributes)}." if one.attributes else ""
        kind = f"{one.kind.value.capitalize()}, `{one.unit}`."
        lines.append(f"| `{one.name}` | {kind} {one.description}{apart} |")
    return "\n".join(lines) + "\n"


def spans() -> str:
    """Each kind of span with what it covers and the attributes that it may have."""
    lines = ["| span | what it covers |", "| --- | --- |"]
    lines += [
        f"| `{one.name}` | {one.description} Kind {one.kind}. Attributes: {_names(one.attributes)}. |" for one in SPANS
    ]
    return "\n".join(lines) + "\n"


def attributes() -> str:
    """Each attribute with its meaning, and the word by which it must be asked for."""
    lines = ["| attribute | what it says |", "| --- | --- |"]
    for one in ATTRIBUTES.values():
        asked = f" Only if `{one.asked_for}` is asked for, and only on spans." if one.asked_for else ""
        lines.append(f"| `{one.name}` | {one.meaning}{asked} |")
    return "\n".join(lines) + "\n"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def with_tables(page: str) -> str:
    """The page with the tables of the code."""
    for name, table in {"spans": spans, "attributes": attributes, "metrics": metrics}.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = f"{head}{begin}\n{table()}\n{end}{tail}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
