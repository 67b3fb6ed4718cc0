"""How a request gets to the platform. A transport knows nothing of payouts."""

from paypro_async.transport.base import Transport, TransportSettings
from paypro_async.transport.opening import TRANSPORTS, check_transport, open_transport

__all__ = ["TRANSPORTS", "Transport", "TransportSettings", "check_transport", "open_transport"]
