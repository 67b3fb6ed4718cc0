"""Values to JSON, the same bytes with or without orjson.

orjson is optional: it makes a request's body in a tenth of the time, which is one part in fifteen of a payout, and
there are machines for which it has no wheel. Replies are always read by the standard library: orjson knows neither
exact numbers nor things that are said twice.
"""

import json
from typing import Any

orjson: Any
try:
    import orjson
except ImportError:
    orjson = None  # nothing else depends on it

__all__ = ["json_bytes"]

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def json_bytes(value: Any) -> bytes:
    """JSON without blanks, as UTF-8.

    Args:
        value: Texts, and lists and dictionaries of them.
    """
    return orjson.dumps(value) if orjson is not None else _ENCODER.encode(value).encode("utf-8")
