"""A stateful local stand-in for the PayPro platform over real HTTP, with faults before and after the booking.

It shares no code with the client: it checks signatures and builds replies on its own, so the two cannot agree on a
mistake.
"""

from paypro_async.sandbox.books import Books
from paypro_async.sandbox.callbacks.notification import CallbackRecord
from paypro_async.sandbox.faults import Fault, FaultPlan
from paypro_async.sandbox.orders import Booking, Comparison, Order
from paypro_async.sandbox.server import Sandbox

__all__ = ["Booking", "Books", "CallbackRecord", "Comparison", "Fault", "FaultPlan", "Order", "Sandbox"]
