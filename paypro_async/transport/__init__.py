"""How a request gets to the platform. A transport knows nothing of payouts."""

from paypro_async.transport.base import Transport
from paypro_async.transport.opening import open_transport

__all__ = ["Transport", "open_transport"]
