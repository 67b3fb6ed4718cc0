"""What ``paypro doctor`` finds out before it judges: it asks questions that move no money, and writes nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from attrs import evolve, frozen

from paypro_async._core.endpoint import Endpoint, read_endpoint
from paypro_async._core.models import Balance
from paypro_async._core.outcome import Outcome
from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions import region_named
from paypro_async._core.trade_no import RANDOM_BITS, make_trade_no
from paypro_async.client import PayProClient
from paypro_async.engine.platform import Platform
from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger import Account, open_ledger
from paypro_async.ledger.admin.records import is_refused_under
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.runtime import SystemRuntime
from paypro_async.transport import TransportSettings, open_transport

__all__ = ["Evidence", "Heard", "LedgerFacts", "gather"]

T = TypeVar("T")

_REQUEST_SECONDS = 10.0
_TRIES = 3


@frozen(kw_only=True)
class Heard:
    """What the platform answered.

    Args:
        control: To a query about a number that was never used.
        blank: To a query without a number, which any platform refuses as a wrong request; None if it was not asked,
            since the one before got no answer.
        asked_balance: To a query for the balance, and *balance* what it told.
    """

    control: Outcome
    blank: Outcome | None
    asked_balance: Outcome
    balance: Balance | None


@frozen(kw_only=True)
class LedgerFacts:
    """What there is to know of the ledger without writing to it.

    Args:
        name: The full path of its file, or its server; None if none is set.
        durable: Whether it outlives the process.
        exists: Whether it is there already.
        accounts: Whose payouts it holds.
        refuses: Whether it holds a payout that was refused under the code which the platform answers of an order that
            does not exist.
        wrong: Why it cannot be used.
        suspicion: Why it looks like a restored backup.
    """

    name: str | None = None
    durable: bool = False
    exists: bool = False
    accounts: tuple[Account, ...] = ()
    refuses: bool = False
    wrong: str | None = None
    suspicion: str | None = None


@frozen(kw_only=True)
class Evidence:
    """All that the findings are made from."""

    endpoint: Endpoint
    account: Account
    environment_is_given: bool
    codes: Codes
    heard: Heard
    ledger: LedgerFacts


async def gather(settings: Mapping[str, Any]) -> Evidence:
    """Ask the platform and look at the ledger.

    Args:
        settings: Arguments of a client.

    Raises:
        ConfigurationError: If a setting cannot work.
    """
    environment = settings.get("environment")
    # Never opened: it says what is wrong with its settings. Of a missing name there is a finding of its own.
    PayProClient(**{**settings, "environment": environment or "unnamed"})
    endpoint = read_endpoint(
        settings["base_url"],
        environment=environment,
        allow_plain_http=bool(settings.get("allow_plain_http")),
    )
    codes = settings.get("codes") or Codes()
    async with _platform(settings, endpoint, codes) as platform:
        heard = await _heard(platform)
    account = Account(merchant_no=settings["merchant_no"], region=platform.spec.name, environment=endpoint.environment)
    return Evidence(
        endpoint=endpoint,
        account=account,
        environment_is_given=bool(environment),
        codes=codes,
        heard=heard,
        ledger=await _ledger(settings.get("ledger"), account, heard.control.code),
    )


@asynccontextmanager
async def _platform(settings: Mapping[str, Any], endpoint: Endpoint, codes: Codes) -> AsyncIterator[Platform]:
    transport = await open_transport(
        settings.get("transport", "httpx"), endpoint.base_url, TransportSettings(proxy=settings.get("proxy"))
    )
    try:
        yield Platform(
            spec=region_named(settings.get("region", "india")),
            base_url=endpoint.base_url,
            merchant_no=settings["merchant_no"],
            signer=settings["signer"],
            transport=transport,
            runtime=SystemRuntime(),
            codes=codes,
        )
    finally:
        await transport.aclose()


async def _heard(platform: Platform) -> Heard:
    runtime = platform.runtime
    never_used = make_trade_no(runtime.now(), runtime.random_bits(RANDOM_BITS))

    async def ask(trade_no: str) -> tuple[Outcome, None]:
        return await platform.query(trade_no, timeout=_REQUEST_SECONDS), None

    control, _ = await _answered(lambda: ask(never_used), tries=_TRIES)
    blank, tries = None, 1
    if control.code is not None:
        tries = _TRIES
        blank, _ = await _answered(lambda: ask(""), tries=tries)
    asked_balance, balance = await _answered(lambda: platform.balance(timeout=_REQUEST_SECONDS), tries=tries)
    return Heard(control=control, blank=blank, asked_balance=asked_balance, balance=balance)


async def _answered(ask: Callable[[], Awaitable[tuple[Outcome, T]]], *, tries: int) -> tuple[Outcome, T]:
    """The first usable reply, or the last failure: one reply that was lost on its way says nothing of a platform."""
    outcome, found = await ask()
    while outcome.code is None and (tries := tries - 1) > 0:
        outcome, found = await ask()
    return outcome, found


async def _ledger(given: str | None, account: Account, code: str | None) -> LedgerFacts:
    if not given:
        return LedgerFacts()
    url = LedgerUrl.read(given)
    ledger = open_ledger(url.url)
    if not isinstance(ledger, SqlLedger):
        return LedgerFacts(name=url.url)
    name = str(url.file.resolve()) if url.file is not None else ledger.name
    facts = LedgerFacts(name=name, durable=True, exists=url.file is None or url.file.exists())
    if not facts.exists:
        return facts
    try:
        await ledger.open_to_read()
        return evolve(
            facts,
            accounts=tuple(await ledger.merchants()),
            suspicion=ledger.suspicion,
            refuses=code is not None and await is_refused_under(ledger, account.merchant_no, code),
        )
    except (LedgerUnavailableError, ConfigurationError) as error:
        return evolve(facts, wrong=str(error))
    finally:
        await ledger.aclose()
