"""How a request gets to the platform. A transport knows nothing of payouts."""

from paypro_async.transport.base import Transport, TransportSettings
from paypro_async.transport.opening import TRANSPORTS, TransportName, check_transport, open_transport

__all__ = ["TRANSPORTS", "Transport", "TransportName", "TransportSettings", "check_transport", "open_transport"]
