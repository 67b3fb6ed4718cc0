"""A process that announces a payout and then sends it, to be frozen in between.

Arguments: the URL, the file of the CA, seconds from the announcement to the send deadline, the transport's name.
"""

import asyncio
import ssl
import sys

from paypro_async._core.wire import WireRequest
from paypro_async.runtime import SystemRuntime
from paypro_async.transport import TransportSettings, open_transport


async def main(url: str, ca_file: str, send_within: float, name: str) -> None:
    settings = TransportSettings(ssl_context=ssl.create_default_context(cafile=ca_file))
    transport = await open_transport(name, url, settings)
    send_by = SystemRuntime().steady() + send_within
    print("announced", flush=True)
    sys.stdin.readline()
    request = WireRequest(url=url, body=b'{"tradeNo":"T1"}', merchant_no="0000000001", send_by=send_by)
    exchange = await transport.send(request, timeout=30)
    print(exchange.phase.name, exchange.cause, flush=True)
    await transport.aclose()


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
