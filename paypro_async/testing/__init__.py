"""What the tests of users need: a PayPro whose answers a test decides, and whose hours pass at once.

``import paypro_async`` does not load it, and it needs no package beyond those of the SDK. pytest finds the fixtures
``fake_paypro``, ``paypro_client`` and ``paypro_env`` by itself.
"""

from paypro_async.testing.courses import Outcome
from paypro_async.testing.fake import FakePayPro

__all__ = ["FakePayPro", "Outcome"]
