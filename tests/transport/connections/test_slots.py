"""Whose turn it is when all connections are busy."""

import asyncio

from paypro_async.transport.connections.slots import Slots


async def wait_in_line(slots: Slots, name: str, order: list[str], *, question: bool) -> None:
    await slots.take(question=question)
    order.append(name)
    await asyncio.sleep(0)
    slots.give_back()


async def test_a_question_waits_for_one_payout_and_not_for_all_of_them():
    """Where both wait, they take turns, each kind in the order it came."""
    slots, order = Slots(1), []
    await slots.take(question=False)
    payouts = [wait_in_line(slots, f"P{number}", order, question=False) for number in range(50)]
    questions = [wait_in_line(slots, f"Q{number}", order, question=True) for number in range(3)]
    waiting = asyncio.gather(*payouts, *questions)
    await asyncio.sleep(0)
    slots.give_back()
    await waiting
    assert order[:6] == ["Q0", "P0", "Q1", "P1", "Q2", "P2"]
    assert order[6:] == [f"P{number}" for number in range(3, 50)]
    assert slots.free == 1


async def test_many_questions_do_not_hold_up_the_payouts():
    """Half of the slots stay theirs."""
    slots, order = Slots(1), []
    await slots.take(question=True)
    questions = [wait_in_line(slots, "Q", order, question=True) for _ in range(50)]
    waiting = asyncio.gather(*questions, *(wait_in_line(slots, "P", order, question=False) for _ in range(5)))
    await asyncio.sleep(0)
    slots.give_back()
    await waiting
    assert order[:12].count("P") == 5


async def test_who_is_cancelled_in_line_takes_nothing_with_it():
    """Before its turn and in the very moment of its turn: the slot goes to the next."""
    slots, order = Slots(1), []
    await slots.take(question=False)
    first, second, third = (asyncio.create_task(wait_in_line(slots, name, order, question=False)) for name in "ABC")
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    slots.give_back()
    second.cancel()  # it has its slot already, and has not run since
    await asyncio.wait({second, third})
    assert (order, slots.free) == (["C"], 1)
