"""A valid payout, once for all tests: who is paid, and what most payouts of a merchant share."""

from collections.abc import Mapping
from types import MappingProxyType

PAYEE: Mapping[str, str] = MappingProxyType(
    {
        "amount": "300",
        "name": "Asha Rao",
        "mobile": "8234567890",
        "email": "asha@gmail.com",
        "bank_number": "10094038292",
        "bank_code": "IDFB0043121",
    }
)
SHARED: Mapping[str, str] = MappingProxyType(
    {"ip_address": "203.0.113.7", "notify_url": "https://merchant.example/paypro"}
)
FIELDS: Mapping[str, str] = MappingProxyType({**PAYEE, **SHARED})
