"""Tables as Markdown has them."""

from collections.abc import Iterable, Sequence

__all__ = ["table"]


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """The rows below their head, numbers to the right."""
    lines = [f"| {' | '.join(map(str, head))} |", f"| :-- {'| --: ' * (len(head) - 1)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])
