"""What ``paypro doctor`` finds out before it judges: it asks questions that move no money, and writes nothing."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from attrs import evolve, frozen

from paypro_async._core.models import Balance
from paypro_async._core.outcome import Outcome
from paypro_async._core.regions import region_named
from paypro_async._core.signing import Md5Signer, SecretPosition
from paypro_async._core.trade_no import RANDOM_BITS, make_trade_no
from paypro_async._core.wire import WireRequest
from paypro_async.cli.doctor.connection import Seen, look_at
from paypro_async.cli.doctor.disk import Disk, look_at_disk
from paypro_async.cli.doctor.variables import Settings, Variables, read_settings, read_variables
from paypro_async.cli.exits import explain
from paypro_async.engine.platform import Platform
from paypro_async.errors import ConfigurationError, PayProError, PayProWarning
from paypro_async.ledger import Account, open_ledger
from paypro_async.ledger.admin.records import is_refused_under
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.provenance.watermark import mark_beside
from paypro_async.runtime import SystemRuntime
from paypro_async.transport import TransportSettings, open_transport

__all__ = ["Evidence", "Heard", "LedgerFacts", "NotAsked", "gather"]

T = TypeVar("T")

# Together less than the minute that is promised: the ledger is looked at behind the questions.
_REQUEST_SECONDS = 7.0
_ASKING_SECONDS = 30.0
_DISK_SECONDS = 5.0
_LEDGER_SECONDS = 15.0
_TRIES = 3


@frozen(kw_only=True)
class Heard:
    """What the platform answered.

    Args:
        control: To a query about a number that was never used.
        blank: To a query without a number, which any platform refuses as a wrong request; None if it was not asked,
            since the one before got no answer.
        asked_balance: To a query for the balance, and *balance* what it told.
        position: Where the secret stands in the signature; None if that cannot be known of this signer.
        asked_otherwise: To a query for the balance with the secret at the other end, and *otherwise* what it told.
    """

    control: Outcome
    blank: Outcome | None
    asked_balance: Outcome
    balance: Balance | None
    position: SecretPosition | None = None
    asked_otherwise: Outcome | None = None
    otherwise: Balance | None = None


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
        disk: Where its file lies; None for a server.
        server: What the database tells of itself, by name.
        pooling: How its server is reached, or why that cannot be told; None for a file.
    """

    name: str | None = None
    durable: bool = False
    exists: bool = False
    accounts: tuple[Account, ...] = ()
    refuses: bool = False
    wrong: str | None = None
    suspicion: str | None = None
    disk: Disk | None = None
    server: Mapping[str, str] | None = None
    pooling: str | None = None


class NotAsked(str):
    """Why the platform could not be asked: a setting is wrong, and what mends it stands there."""

    __slots__ = ()


@frozen(kw_only=True)
class Evidence:
    """All that the findings are made from.

    Args:
        variables: What is set in the environment.
        settings: What can be read of the settings.
        account: Whose payouts it is about; None if that is not known.
        heard: What the platform answered; None if it could not be asked.
        ledger: Of the ledger.
        seen: Of the way to the platform; None if there is no address.
    """

    variables: Variables
    settings: Settings
    account: Account | None
    heard: Heard | str | None
    ledger: LedgerFacts
    seen: Seen | None


async def gather(given: Mapping[str, Any]) -> Evidence:
    """Ask the platform and look at the way there and at the ledger, all at one time.

    Nothing that is wrong ends it: each fault is a part of what was found out.

    Args:
        given: The options of the command.
    """
    with warnings.catch_warnings():
        # What the ledger would warn of has a line of its own.
        warnings.simplefilter("ignore", PayProWarning)
        return await _gathered(read_settings(given))


async def _gathered(settings: Settings) -> Evidence:
    account = _account(settings)
    seeing = asyncio.ensure_future(_see(settings))
    heard = await _hear(settings)
    code = heard.control.code if isinstance(heard, Heard) else None
    ledger = await _ledger(settings.values.get("ledger"), account, code)
    return Evidence(
        variables=read_variables(),
        settings=settings,
        account=account,
        heard=heard,
        ledger=ledger,
        seen=await seeing,
    )


def _account(settings: Settings) -> Account | None:
    if settings.endpoint is None or "merchant" in settings.wrong:
        return None
    region = settings.values.get("region", "india")
    merchant_no = settings.values["merchant_no"]
    return Account(merchant_no=merchant_no, region=region, environment=settings.endpoint.environment)


async def _see(settings: Settings) -> Seen | None:
    if settings.endpoint is None:
        return None
    proxy = TransportSettings(proxy=settings.values.get("proxy")).proxy
    return await look_at(settings.endpoint.base_url, proxy, await _question(settings))


async def _question(settings: Settings) -> WireRequest | None:
    """A question for the balance, signed; None if that cannot be done."""
    if not settings.can_ask:
        return None
    try:
        async with _platform(settings) as platform:
            return await platform.sign({}, platform.spec.balance_path, timeout=_REQUEST_SECONDS)
    except (PayProError, ValueError):
        return None  # What is wrong, 'access' tells.


async def _hear(settings: Settings) -> Heard | str | None:
    """What the platform answered; or why it could not be asked; or None if a setting says that already."""
    if not settings.can_ask:
        return None
    try:
        async with asyncio.timeout(_ASKING_SECONDS), _platform(settings) as platform:
            return await _heard(platform)
    except TimeoutError:
        return f"not all was answered within {_ASKING_SECONDS:.0f} seconds"
    except ConfigurationError as error:
        return NotAsked(explain(error).removeprefix("Error: "))
    except (PayProError, ValueError) as error:
        return str(error)


@asynccontextmanager
async def _platform(settings: Settings) -> AsyncIterator[Platform]:
    values = settings.values
    base_url = settings.endpoint.base_url if settings.endpoint else ""
    spec = region_named(values.get("region", "india"))
    transport = await open_transport(
        values.get("transport", "aiohttp"), base_url, TransportSettings(proxy=values.get("proxy"))
    )
    try:
        yield Platform(
            spec=spec,
            base_url=base_url,
            merchant_no=values["merchant_no"],
            signer=values["signer"],
            transport=transport,
            runtime=SystemRuntime(),
            codes=settings.codes,
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
    heard = Heard(control=control, blank=blank, asked_balance=asked_balance, balance=balance)
    signer = platform.signer
    if not isinstance(signer, Md5Signer):
        return heard
    heard = evolve(heard, position=signer.secret_position)
    if tries == 1:
        return heard  # Nothing answers.
    turned = signer.with_secret_as(_other(signer.secret_position))
    asked, otherwise = await evolve(platform, signer=turned).balance(timeout=_REQUEST_SECONDS)
    return evolve(heard, asked_otherwise=asked, otherwise=otherwise)


def _other(position: SecretPosition) -> SecretPosition:
    return "prefix" if position == "suffix" else "suffix"


async def _answered(ask: Callable[[], Awaitable[tuple[Outcome, T]]], *, tries: int) -> tuple[Outcome, T]:
    """The first usable reply, or the last failure: one reply that was lost on its way says nothing of a platform."""
    outcome, found = await ask()
    while outcome.code is None and (tries := tries - 1) > 0:
        outcome, found = await ask()
    return outcome, found


async def _ledger(given: str | None, account: Account | None, code: str | None) -> LedgerFacts:
    if not given:
        return LedgerFacts()
    try:
        url = LedgerUrl.read(given)
        ledger = open_ledger(url.url)
    except PayProError as error:
        return LedgerFacts(durable=True, exists=True, wrong=explain(error).removeprefix("Error: "))
    if not isinstance(ledger, SqlLedger):
        return LedgerFacts(name=url.url)
    disk = None if url.file is None else await _disk(url.file)
    facts = LedgerFacts(name=ledger.name, durable=True, exists=disk is None or disk.exists, disk=disk)
    if url.file is None:
        facts = evolve(facts, pooling=await _pooling(url.url))
    if not facts.exists:
        return facts
    try:
        async with asyncio.timeout(_LEDGER_SECONDS):
            return await _opened(ledger, facts, account, code)
    except TimeoutError:
        return evolve(facts, wrong=f"The ledger {facts.name} did not answer within {_LEDGER_SECONDS:.0f} seconds.")
    except (PayProError, OSError) as error:
        return evolve(facts, wrong=explain(error).removeprefix("Error: "))


async def _disk(file: Path) -> Disk:
    try:
        async with asyncio.timeout(_DISK_SECONDS):
            # A file system whose server has gone holds who looks at it, for ever.
            return await anyio.to_thread.run_sync(look_at_disk, file, abandon_on_cancel=True)
    except TimeoutError:
        folder = file.parent
        return Disk(
            folder=folder, mark=mark_beside(file), wrong=f"{folder} did not answer within {_DISK_SECONDS:.0f} seconds"
        )


async def _opened(ledger: SqlLedger, facts: LedgerFacts, account: Account | None, code: str | None) -> LedgerFacts:
    try:
        await ledger.open_to_read()
        refused = account is not None and code is not None and await is_refused_under(ledger, account.merchant_no, code)
        return evolve(
            facts,
            server=await ledger.describe(),
            accounts=tuple(await ledger.merchants()),
            suspicion=ledger.suspicion,
            refuses=refused,
        )
    finally:
        await ledger.aclose()


async def _pooling(url: str) -> str:
    # Its package is not there for a ledger in a file.
    from paypro_async.ledger.sql.server.pooler import Pooling, look_for_pooler  # noqa: PLC0415

    found = await look_for_pooler(url)
    return found.value if isinstance(found, Pooling) else found
