"""A defect planted into the product: a change of its own text, so that it cannot outlive the line that it breaks."""

import asyncio
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from attrs import frozen

from paypro_async._core.lifecycle import first_entry


@frozen
class Mutation:
    """In *function* the text *old* becomes *new*.

    Args:
        owner: The module or the class that holds the function.
        name: The function's name.
        finds: The kinds of violation that it leads to; the first of them that the simulation meets is its finding.
    """

    owner: Any
    name: str
    old: str
    new: str
    finds: tuple[str, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The product with this defect, wherever it was imported to."""
        original = getattr(self.owner, self.name)
        source = textwrap.dedent(inspect.getsource(original))
        assert source.count(self.old) == 1, f"{self.name} has changed; the mutation must change with it"
        made: dict[str, Any] = {}
        scope = {**vars(sys.modules[original.__module__]), "asyncio": asyncio, "first_entry": first_entry}
        exec(compile(source.replace(self.old, self.new), f"<mutated {self.name}>", "exec"), scope, made)  # noqa: S102  the product's own text
        with _everywhere(self.owner, self.name, original, made[self.name]):
            yield


@contextmanager
def _everywhere(owner: Any, name: str, original: Any, mutated: Any) -> Iterator[None]:
    holders = [owner]
    if inspect.ismodule(owner):
        package = [module for path, module in sorted(sys.modules.items()) if path.startswith("paypro_async")]
        holders = [module for module in package if vars(module).get(name) is original]
    patches = [mock.patch.object(holder, name, mutated) for holder in holders]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
