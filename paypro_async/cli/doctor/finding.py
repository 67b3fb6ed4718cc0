"""One line of the report."""

from typing import Literal

from attrs import field, frozen

__all__ = ["Finding", "Level"]

Level = Literal["ok", "warning", "problem"]


@frozen(kw_only=True)
class Finding:
    """What was looked at, what was found, and what to do.

    Args:
        name: What was looked at; programs go by it.
        found: What was found, in a sentence or two.
        advice: What to do about it; None if all is well.
        level: A problem must be mended before anything is paid. A warning should be read once: it may be meant so.
    """

    name: str
    found: str
    advice: str | None = None
    level: Level = field()

    @level.default
    def _level(self) -> Level:
        return "ok" if self.advice is None else "problem"

    @property
    def ok(self) -> bool:
        """Whether nothing has to be mended."""
        return self.level != "problem"
