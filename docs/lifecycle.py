"""Write the table of states into architecture.md, from the code."""

from pathlib import Path

from paypro_async._core.lifecycle import LEGAL, State

PAGE = Path(__file__).with_name("architecture.md")
BEGIN = "<!-- lifecycle: begin (python docs/lifecycle.py writes this from the code; the tests check it) -->\n"
END = "<!-- lifecycle: end -->\n"


def table() -> str:
    """Each state and where it may go, with the causes that may take it there."""
    lines = ["| from | to | learned by |", "| --- | --- | --- |"]
    for state in State:
        for (before, after), causes in LEGAL.items():
            if before is state:
                lines.append(f"| `{before}` | `{after}` | {', '.join(sorted(causes))} |")
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """The page with the table of the code."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
