from decimal import Decimal

import pytest

from paypro_async.sandbox.books import Books
from paypro_async.sandbox.orders import Instruction, Order, Payee
from tests.sandbox.merchant import Clock

PAYEE = Payee(name="Asha Rao", mobile="8234567890", email="a@gmail.com", bank_number="1", bank_code="IDFB0043121")


def instruction(trade_no: str = "T1", amount: str = "300", status: str = "0015") -> Instruction:
    return Instruction(trade_no=trade_no, amount=Decimal(amount), payee=PAYEE, status=status)


def test_bookings_are_compared_with_what_was_expected():
    """Missing, doubled and unexpected bookings are named."""
    books = Books(balance=Decimal(10_000), deduplicate=False)
    for trade_no in ("T1", "T2", "T2", "T3"):
        books.book(instruction(trade_no))
    comparison = books.booked_once(iter(["T1", "T2", "T4"]))
    assert (comparison.missing, comparison.twice, comparison.unexpected) == (("T4",), ("T2",), ("T3",))
    assert not comparison.exact
    assert Books(balance=Decimal(1)).booked_once([]).exact


def test_the_balance_is_the_start_less_what_orders_hold():
    """Whatever happens to orders, no money appears or vanishes."""
    books = Books(balance=Decimal(1000), deduplicate=False)
    books.book(instruction("T1", "100.01"))
    books.book(instruction("T1", "200"))
    books.set_status("T1", "00029")
    assert books.balance == Decimal(1000)
    books.book(instruction("T1", "50"))
    books.book(instruction("T2", "7", status="60030"))
    books.book(instruction("T3", "7", status="0000"))
    assert books.balance == Decimal(1000) - sum(order.debited for order in books.orders.values()) == Decimal(943)
    assert len(books.bookings) == 5


def test_later_events_happen_in_their_order():
    """A late booking is entered with its own time, and settles from that time on."""
    clock = Clock()
    books = Books(balance=Decimal(300), paid_after=1, clock=clock)
    start = books.now_ms()
    books.book_later(instruction("T2"), 2)
    books.book_later(instruction("T1"), 1)
    clock.now += 10
    (only,) = books.orders.values()  # the balance was enough for one, and T1 came first
    assert (only.trade_no, only.status) == ("T1", "0000")
    assert (only.booked_at_ms, only.final_at_ms) == (start + 1000, start + 2000)


def test_order_numbers_are_the_same_in_every_run():
    """They follow from the trade number, and look like the platform's."""
    orders = [Books(balance=Decimal(1000)).book(instruction()) for _ in range(2)]
    numbers = {order.platform_trade_no for order in orders if isinstance(order, Order)}
    assert len(numbers) == 1
    assert len(numbers.pop()) == 32


def test_an_unknown_order_cannot_be_changed():
    """Nothing is made up."""
    with pytest.raises(KeyError):
        Books(balance=Decimal(1)).set_status("T1", "0000")


def test_the_orders_cannot_be_changed_from_outside():
    """A test cannot bend the books by accident."""
    with pytest.raises(TypeError):
        Books(balance=Decimal(1)).orders["T1"] = None  # type: ignore[index]


def test_an_order_that_vanished_settles_no_more_and_can_be_booked_again():
    """Its booking stays on record, so that a second one shows."""
    clock = Clock()
    books = Books(balance=Decimal(1000), paid_after=5, clock=clock)
    books.book(instruction("T1"))
    books.forget("T1")
    assert not books.orders
    clock.now += 10
    assert books.balance == Decimal(700)
    assert isinstance(books.book(instruction("T1")), Order)
    assert books.booked_once(["T1"]).twice == ("T1",)
    with pytest.raises(KeyError):
        books.forget("T2")
