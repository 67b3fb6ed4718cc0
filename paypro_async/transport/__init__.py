"""How a request gets to the platform. A transport knows nothing of payouts."""

from paypro_async.transport.base import Transport

__all__ = ["Transport"]
