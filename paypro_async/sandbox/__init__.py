"""A stateful local stand-in for the PayPro platform over real HTTP, with faults before and after the booking.

It shares no code with the client: it checks signatures and builds replies on its own, so the two cannot agree on a
mistake.
"""

from .books import Booking, Books, Comparison, Order
from .faults import Fault, FaultPlan
from .server import Sandbox

__all__ = ["Booking", "Books", "Comparison", "Fault", "FaultPlan", "Order", "Sandbox"]
