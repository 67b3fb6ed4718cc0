"""``PayProClient``: what users open, pay with and close."""

import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from paypro_async._core.callback_body import CallbackReading
from paypro_async._core.endpoint import check_merchant_no, read_endpoint
from paypro_async._core.known import OnChange
from paypro_async._core.models import Balance, PayoutResult, QueryResult
from paypro_async._core.platform_codes import Codes, codes_of
from paypro_async._core.regions import Payable, Region, region_named
from paypro_async._core.regions.india import PayoutFields
from paypro_async._core.secret import HiddenFields, hidden
from paypro_async._core.signing import Signer, check_signer
from paypro_async.batch.client import BatchClient
from paypro_async.engine.intake import Intake
from paypro_async.engine.lifetime import Lifetime
from paypro_async.engine.limits import Timing, check_count
from paypro_async.engine.payout import Engine
from paypro_async.engine.queries import Queries
from paypro_async.engine.recording import Recording
from paypro_async.engine.session import Session
from paypro_async.engine.single_flight import SingleFlight
from paypro_async.errors import ConfigurationError
from paypro_async.hooks.no_hooks import NoHooks
from paypro_async.hooks.opening import AnyHook, check_hooks, open_hooks
from paypro_async.ledger import Account, Ledger, open_ledger, warn_of_no_name
from paypro_async.ledger.patience import answer_within
from paypro_async.ledger.sql.encryption.keys import KeySource
from paypro_async.runtime import Runtime, SystemRuntime
from paypro_async.settings import ClientSettings, settings_from_environment
from paypro_async.tracking.delivery import Delivery, Listener
from paypro_async.tracking.receiver import CallbackRules, Receiver, UnknownCallbacks
from paypro_async.transport import Transport, TransportName, TransportSettings, check_transport, open_transport

__all__ = ["PayProClient"]


class PayProClient(BatchClient):
    """Pays through PayPro, each payout at most once, and forgets none.

    Open it with ``async with`` (or ``open`` and ``aclose``), once per event loop, and share it between all tasks::

        async with PayProClient(
            base_url="https://sandbox-api.paypro.tech/…",
            merchant_no="0000000001",
            signer=Md5Signer(secret),
            ledger="sqlite:///payouts.db",
        ) as client:
            result = await client.payout(amount="300", name="Asha Rao", …)

    Args:
        base_url: The region's URL, without the path of an endpoint; *region*, the country's name.
        merchant_no: As PayPro writes it, as text, with its zeros.
        signer: :class:`~paypro_async.Md5Signer` with the app secret, or any :class:`~paypro_async.Signer`.
        ledger: Where payouts are remembered: ``"sqlite:///payouts.db"``, ``"postgresql://…"`` for many machines, a
            :class:`~paypro_async.Ledger`, or ``"memory"`` to forget them. There is no default, since a forgotten payout
            may be paid twice. A client without one can only ask.
        ledger_key: What personal values in the ledger are encrypted with: a key from ``paypro ledger key``, several of
            which the first one writes, or a function that asks a vault for them once, when the ledger is opened. By
            default ``PAYPRO_LEDGER_KEY`` or ``PAYPRO_LEDGER_KEY_FILE``; without any, nothing is encrypted.
        ip_address: The payer's IP address, and *notify_url* the callback URL, for payouts that have none of their own.
        timeout: Seconds that one call may take in all; *max_attempts*, how often it may send its payout.
        settle_after: Seconds after an attempt within which "no such order" proves nothing. It must be longer than
            *send_within*, *request_timeout* and the platform's booking lag together.
        resend: ``"after_settle"`` sends a payout that never arrived again by itself; ``"never"`` leaves it to a person.
        request_timeout: Seconds for one exchange with the platform. By default a third of *settle_after*, at most 20.
        send_within: Seconds within which the first byte of an announced attempt must leave, or it is not sent. By
            default a sixth of *settle_after*, at most 10.
        codes: Platform codes with a meaning, for those that its pages do not list.
        check_echo: Believe a reply only if the remark that it repeats is that of its request.
        adopt_duplicates: Take an order of the same amount for ours if our first attempt was refused as a duplicate,
            though another system may have made it. By default a person looks first.
        environment: A name for the platform behind *base_url*, kept when its address changes. By default the host.
        allow_plain_http: Allow plain http to another machine.
        max_connections: Requests at one time. Other payouts wait unannounced; in vain, they are a PoolTimeoutError.
        proxy: The URL of a proxy; by default the environment's ``HTTPS_PROXY``.
        ssl_context: For an own CA or a client certificate (mTLS).
        transport: ``"httpx"``, ``"aiohttp"`` (fast, extra ``aiohttp``), ``"httpx2"`` (extra ``httpx2``), or an own
            transport, which the client does not close and which the three settings above do not reach.
        callback_signers: More signers that are believed in callbacks, while the app secret is changed.
        callback_reading: A :class:`~paypro_async.CallbackReading`, for callbacks that are not as the pages show them.
        unknown_callbacks: ``"accept"`` answers a callback ``OK`` whose payout the ledger does not hold, as it may be
            another system's; ``"refuse"`` answers 404. It is kept apart either way.
        on_change: An ``async def`` function that is awaited with a :class:`~paypro_async.PayoutChange` for every change
            of a payout's status, whoever learned it: once at least, in order per payout, across crashes.
        consumer: The name under which the ledger remembers what was told; processes with the same one share the work.
        hooks: Functions that are called with each event of this client, in a thread of their own, for metrics and
            traces (see :mod:`paypro_async.events`). None can hold up a payment, and none is told for certain.
        runtime: The clocks and dice, for tests.

    Raises:
        ConfigurationError: If a setting cannot work; the text says which and why.
    """

    _engine: Engine | None = None

    def __init__(  # noqa: PLR0913  each setting is one a user may want
        self,
        *,
        base_url: str,
        merchant_no: str,
        signer: Signer,
        region: Region = "india",
        ledger: str | Ledger | None = None,
        ledger_key: KeySource | None = None,
        ip_address: str | None = None,
        notify_url: str | None = None,
        timeout: float = 30.0,
        max_attempts: int = 4,
        settle_after: float = 60.0,
        resend: Literal["after_settle", "never"] = "after_settle",
        request_timeout: float | None = None,
        send_within: float | None = None,
        codes: Codes | None = None,
        check_echo: bool = True,
        adopt_duplicates: bool = False,
        environment: str | None = None,
        allow_plain_http: bool = False,
        max_connections: int = 100,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        transport: TransportName | Transport = "httpx",
        callback_signers: Sequence[Signer] = (),
        callback_reading: CallbackReading | None = None,
        unknown_callbacks: UnknownCallbacks = "accept",
        on_change: OnChange | None = None,
        consumer: str = "default",
        hooks: Sequence[AnyHook] = (),
        runtime: Runtime | None = None,
    ) -> None:
        base_url, ledger, proxy = hidden(base_url), hidden(ledger), hidden(proxy)  # A traceback may show them.
        ledger_key = hidden(ledger_key)
        check_merchant_no(merchant_no)
        check_signer(signer)
        check_count("max_connections", max_connections)
        check_transport(transport)
        self._endpoint = read_endpoint(base_url, environment=environment, allow_plain_http=allow_plain_http)
        self._merchant_no, self._signer = merchant_no, signer
        self._spec = region_named(region)
        self._account = Account(merchant_no=merchant_no, region=self._spec.name, environment=self._endpoint.environment)
        self._timing = Timing.of(
            settle_after=settle_after,
            request_timeout=request_timeout,
            send_within=send_within,
            timeout=timeout,
            max_attempts=max_attempts,
        )
        self._policy = self._timing.policy(resend=resend, adopt_duplicates=adopt_duplicates)
        self._check_echo, self._codes = check_echo, codes_of(codes)
        self._runtime = runtime or SystemRuntime()
        self._intake = Intake(
            spec=self._spec,
            merchant_no=merchant_no,
            defaults={"ip_address": ip_address or "", "notify_url": notify_url or ""},
            runtime=self._runtime,
            settle_after=settle_after,
            resend=self._policy.resend,
        )
        self._ledger = open_ledger(ledger, runtime=self._runtime, key=ledger_key) if ledger is not None else None
        self._owns_ledger = isinstance(ledger, str)
        warn_of_no_name(self._endpoint, self._ledger, given=environment, stacklevel=3)
        self._chosen_transport, self._resources = transport, AsyncExitStack()
        self._transport_settings = TransportSettings(
            max_connections=max_connections, proxy=proxy, ssl_context=ssl_context, runtime=self._runtime
        )
        super().__init__()
        self._lifetime = Lifetime(self._runtime, self._timing)
        self._flights = SingleFlight(self._lifetime.closing)
        self._callback_rules = CallbackRules.of(signer, callback_signers, callback_reading, unknown_callbacks)
        self._listener, self._hooks = Listener.of(on_change, consumer, self._ledger), check_hooks(hooks)

    @classmethod
    def from_env(cls, **settings: Unpack[ClientSettings]) -> Self:
        """Make a client from ``PAYPRO_BASE_URL``, ``PAYPRO_MERCHANT_NO``, ``PAYPRO_SECRET``, …; an argument wins.

        Raises:
            ConfigurationError: If something is missing or cannot be read.
        """
        return cls(**settings_from_environment(settings))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Open the ledger and make ready to connect.

        Raises:
            LedgerUnavailableError: If the ledger cannot be opened.
            ConfigurationError: If the ledger belongs to another platform.
        """
        self._lifetime.refuse_again()
        async with AsyncExitStack() as opened:
            hooks = open_hooks(self._hooks, self._runtime)
            if self._hooks:
                opened.push_async_callback(self._lifetime.close_part, "A hook", hooks.aclose)
            if self._ledger is not None and self._owns_ledger:
                opened.push_async_callback(self._lifetime.close_part, "The ledger", self._ledger.aclose)
            transport = await open_transport(self._chosen_transport, self._endpoint.base_url, self._transport_settings)
            if isinstance(self._chosen_transport, str):
                opened.push_async_callback(self._lifetime.close_part, "The transport", transport.aclose)
            session = self._new_session(transport, hooks)
            if self._ledger is not None:
                await answer_within(self._timing.timeout, self._ledger, self._ledger.open(self._account))
                recording = Recording(ledger=self._ledger, session=session)
                self._engine = hooks.engine(session, recording)
                self._receiver = Receiver(recording=recording, rules=self._callback_rules)
            delivery = await Delivery.prepare(self._listener, self._ledger, session)
            if delivery is not None:
                opened.push_async_callback(self._lifetime.close_part, "The handler of changes", delivery.aclose)
            if self._hooks:
                hooks.begin(session)
                opened.push_async_callback(self._lifetime.close_part, "The last look for hooks", hooks.end)
            self._resources = opened.pop_all()
        self._lifetime.begin(session)
        if delivery is not None:
            delivery.start()

    def _new_session(self, transport: Transport, hooks: NoHooks) -> Session:
        platform = hooks.platform(
            spec=self._spec,
            base_url=self._endpoint.base_url,
            merchant_no=self._merchant_no,
            signer=self._signer,
            transport=transport,
            runtime=self._runtime,
            codes=self._codes,
            check_echo=self._check_echo,
        )
        return Session.of(
            platform,
            ledger=self._ledger,
            policy=self._policy,
            times=self._timing,
            closing=self._lifetime.closing,
            watcher=hooks.watcher,
        )

    async def aclose(self) -> None:
        """End what is under way, in the time of one exchange and five seconds more; then close what the client opened.

        A payout that was announced still goes out, and its answer is stored. What waits ends with what is known.
        """
        if self._lifetime.inherited:
            self._lifetime.end()  # What a process has opened, one that was forked from it does not close.
            return
        await self._lifetime.refuse_elsewhere(self._ledger if self._owns_ledger else None)
        await self._lifetime.close(lambda: [batch.aclose() for batch in self._batches], self._resources.aclose)

    @property
    def ledger(self) -> Ledger | None:
        """The ledger, for reading what it holds."""
        return self._ledger

    @overload
    async def payout(
        self, payout: Payable, /, *, timeout: float | None = None, max_attempts: int | None = None
    ) -> PayoutResult: ...

    @overload
    async def payout(
        self,
        payout: None = None,
        /,
        *,
        timeout: float | None = None,
        max_attempts: int | None = None,
        **fields: Unpack[PayoutFields],
    ) -> PayoutResult: ...

    async def payout(
        self,
        payout: Payable | None = None,
        /,
        *,
        timeout: float | None = None,
        max_attempts: int | None = None,
        **fields: Any,
    ) -> PayoutResult:
        """Pay once, or find out what became of it.

        The same ``trade_no`` with the same content gives back the stored result: without a request if it is final,
        else after asking the platform. Calls for one ``trade_no`` at one time join. A payout without a ``trade_no``
        gets a new one, so calling again without it is another payout. None alone means that it has none.

        Args:
            payout: The region's ``Payout``; or give its fields as keyword arguments.
            timeout: Seconds for this call in all, instead of the client's.
            max_attempts: How often this call may send, instead of the client's.
            fields: The payout's fields, if no *payout* is given.

        Raises:
            InvalidPayoutError: If a field is wrong; every wrong field is named. Nothing was sent.
            IdempotencyConflictError: If the trade_no was used for another payout. Nothing was sent.
            NotSentError: If nothing was accepted, for certain. The same payout may be sent again.
            OutcomeUnknownError: If money may have moved and no answer came in time that says so.
            OutcomeNotRecordedError: If the platform answered and the ledger could not store it.
            TypeError: If the amount is a float.
        """
        payout, fields = payout and hidden(payout), HiddenFields(fields)  # A traceback may show them.
        engine, limits = self._paying(), self._timing.limits(timeout=timeout, max_attempts=max_attempts)
        intent = self._intake.intent(payout, fields)
        return await self._flights.run(intent, limits, engine.pay)

    async def query(
        self, trade_no: str, *, timeout: float | None = None, max_attempts: int | None = None
    ) -> QueryResult:
        """Ask the platform for one payout, and store the answer if the ledger holds it.

        Raises:
            QuestionFailedError: If no usable answer came. Asking moves no money.
        """
        limits = self._timing.limits(timeout=timeout, max_attempts=max_attempts)
        queries = Queries(session=self._asking())
        return await queries.query(trade_no, timeout=limits.timeout, max_attempts=limits.max_attempts)

    async def balance(self, *, timeout: float | None = None, max_attempts: int | None = None) -> Balance:
        """Ask the platform for the balance.

        Raises:
            QuestionFailedError: If no usable answer came.
        """
        limits = self._timing.limits(timeout=timeout, max_attempts=max_attempts)
        return await Queries(session=self._asking()).balance(timeout=limits.timeout, max_attempts=limits.max_attempts)

    def new_trade_no(self) -> str:
        """A new order number in the platform's form: UTC ``YYYYMMDDHHMMSS`` and 18 random digits."""
        return self._intake.new_trade_no()

    def _asking(self) -> Session:
        """What queries go through, if the client is open and in this event loop."""
        return self._lifetime.session()

    def _paying(self) -> Engine:
        """What payouts go through, if the client has a ledger too."""
        self._asking()
        if self._engine is None:
            raise ConfigurationError(
                "The client has no ledger, so a crash could make it pay twice. Nothing was sent. Give "
                "ledger='sqlite:///payouts.db', or ledger='memory' to forget payouts when the process ends."
            )
        return self._engine
