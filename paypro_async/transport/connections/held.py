"""A connection that is made and held for one request, which is written when its turn comes."""

from typing import Generic, TypeVar

from attrs import define

from paypro_async.transport.connections.resting import Rest, Restable, RestingConnections
from paypro_async.transport.connections.slots import Slots

__all__ = ["HeldConnection"]

T = TypeVar("T", bound=Restable)


@define(eq=False)
class HeldConnection(Generic[T]):
    """A slot, and a connection that rests beside the others until it is used.

    Args:
        slots: Where the slot is from.
        resting: Where the connection belongs.
        rest: The connection. It may have ended, or rested too long, when it is wanted.
        is_held: Whether it was neither used nor given back.
    """

    slots: Slots
    resting: RestingConnections[T]
    rest: Rest[T]
    is_held: bool = True

    def use(self) -> bool:
        """The request takes the slot over, and gives it back; False if it is gone already."""
        held, self.is_held = self.is_held, False
        return held

    async def aclose(self) -> None:
        """Give back what was not used."""
        if self.use():
            self.slots.give_back()
            self.resting.put_back(self.rest)
