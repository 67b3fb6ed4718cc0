"""Programs without asyncio: one client for a process, and any number of threads that call it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from paypro_async import (
    ClientStateError,
    ConfigurationError,
    IdempotencyConflictError,
    InvalidPayoutError,
    Md5Signer,
    PayProClient,
)
from paypro_async.integrations.portal import ClientPortal
from paypro_async.sandbox import Sandbox
from tests.support.callbacks import callback
from tests.support.valid import FIELDS, PAYEE

PAGE = Path(__file__).parents[2] / "docs" / "threads.md"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    platform = Sandbox(secret="s3cr3t", paid_after=3600)
    with start_blocking_portal() as other, other.wrap_async_context_manager(platform):
        yield platform


def settings(sandbox: Sandbox, ledger: Path) -> dict[str, str]:
    return {
        "PAYPRO_BASE_URL": sandbox.base_url,
        "PAYPRO_ENVIRONMENT": sandbox.environment,
        "PAYPRO_MERCHANT_NO": "0000000001",
        "PAYPRO_SECRET": "s3cr3t",
        "PAYPRO_LEDGER": f"sqlite:///{ledger}",
        "PAYPRO_IP_ADDRESS": "203.0.113.7",
        "PAYPRO_NOTIFY_URL": "https://merchant.example/paypro",
    }


def portal(sandbox: Sandbox, folder: Path, **more: Any) -> ClientPortal:
    return ClientPortal(
        lambda: PayProClient(
            base_url=sandbox.base_url,
            environment=sandbox.environment,
            merchant_no="0000000001",
            signer=Md5Signer("s3cr3t"),
            ledger=f"sqlite:///{folder / 'payouts.db'}",
            **more,
        )
    )


def test_fifty_threads_pay_through_one_portal(sandbox: Sandbox, tmp_path: Path) -> None:
    """All begin at once, before it is open: one client is opened, and each payout is paid once."""
    begin, made = threading.Barrier(50), []
    paypro = portal(sandbox, tmp_path)
    make = paypro._make
    paypro._make = lambda: made.append(make()) or made[-1]

    def pay(number: int) -> str:
        begin.wait()
        fields = {**FIELDS, "trade_no": f"T{number % 25}"}  # each number from two threads
        return paypro.call(lambda client: client.payout(fields)).trade_no

    with paypro, ThreadPoolExecutor(50) as threads:
        assert sorted(threads.map(pay, range(50))) == sorted(f"T{number % 25}" for number in range(50))
    assert len(made) == 1
    assert len(sandbox.books.bookings) == 25
    assert sorted(sandbox.books.orders) == sorted(f"T{number}" for number in range(25))


def test_an_error_keeps_its_class_and_what_it_carries(sandbox: Sandbox, tmp_path: Path) -> None:
    """The caller's thread sees the client's own error."""
    with portal(sandbox, tmp_path) as paypro:
        with pytest.raises(InvalidPayoutError) as wrong:
            paypro.call(lambda client: client.payout({**FIELDS, "trade_no": "T1", "bank_code": "no"}))
        assert [one.field for one in wrong.value.problems] == ["bank_code"]
        paypro.call(lambda client: client.payout({**FIELDS, "trade_no": "T1"}))
        with pytest.raises(IdempotencyConflictError) as other:
            paypro.call(lambda client: client.payout({**FIELDS, "trade_no": "T1", "amount": "301"}))
        assert other.value.trade_no == "T1"


def test_what_could_not_be_opened_is_opened_by_a_later_call(sandbox: Sandbox, tmp_path: Path) -> None:
    """A wrong setting is raised by each call, no thread stays behind, and once it is right it works."""
    answers: list[Any] = [ConfigurationError("wrong"), portal(sandbox, tmp_path)._make()]

    def make() -> PayProClient:
        if isinstance(answers[0], Exception):
            raise answers.pop(0)
        return answers.pop(0)

    paypro = ClientPortal(make)
    with pytest.raises(ConfigurationError):
        paypro.open()
    assert not [one for one in threading.enumerate() if one.name == "paypro"]
    with paypro:
        assert paypro.call(lambda client: client.get("T1")) is None
    paypro.close()
    with pytest.raises(ClientStateError, match="closed"):
        paypro.open()


def test_a_handler_cannot_call_the_portal_that_runs_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """It would wait for itself; it is an error at once."""
    with portal(sandbox, tmp_path) as paypro:

        async def ask(client: PayProClient) -> None:
            paypro.call(lambda client: client.get("T1"))

        with pytest.raises(RuntimeError, match="event loop thread"):
            paypro.call(ask)


def test_an_interrupt_ends_the_wait_and_not_the_payout(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C while the main thread waits: the payout goes on in the portal's thread, and is stored."""
    paid = threading.Event()

    async def pay(client: PayProClient) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        await client.payout({**FIELDS, "trade_no": "T1"})
        paid.set()

    with portal(sandbox, tmp_path) as paypro:
        with pytest.raises(KeyboardInterrupt):
            paypro.call(pay)
        assert paid.wait(20)
        assert paypro.call(lambda client: client.get("T1")).status.value == "processing"


def test_whoever_calls_while_it_is_closed_gets_an_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    """Between the look and the loop lies a moment in which another thread may close it."""
    told: list[Exception] = []
    paypro = portal(sandbox, tmp_path)
    paypro.open()
    opened, _ = paypro._open or pytest.fail("it is not open")
    spawn, let_in, closing = opened.start_task_soon, threading.Event(), threading.Event()

    def late(*given: Any) -> Any:
        if threading.current_thread() is caller:
            let_in.set()
            closing.wait(0.2)  # long enough for close() to get as far as it can
        return spawn(*given)

    def call() -> None:
        try:
            paypro.call(lambda client: client.get("T1"))
        except ClientStateError as error:
            told.append(error)

    opened.start_task_soon = late  # type: ignore[method-assign]
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    assert let_in.wait(20)
    paypro.close()
    caller.join(20)
    assert not caller.is_alive()
    with pytest.raises(ClientStateError, match="closed"):
        paypro.call(lambda client: client.get("T1"))


def test_what_else_is_awaited_while_it_is_closed_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its caller is told so, and not only that something was cancelled."""
    paypro, waits = portal(sandbox, tmp_path), threading.Event()

    async def wait(_: PayProClient) -> None:
        waits.set()
        await asyncio.sleep(3600)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(paypro.call, wait)
        assert waits.wait(20)
        paypro.close()
        with pytest.raises(ClientStateError, match="before this call had ended"):
            waiting.result(20)


def test_its_own_thread_cannot_close_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """It would wait for itself; it is an error at once, and changes nothing."""
    with portal(sandbox, tmp_path) as paypro:

        async def close(_: PayProClient) -> None:
            paypro.close()

        with pytest.raises(RuntimeError, match="event loop thread"):
            paypro.call(close)
        assert paypro.call(lambda client: client.get("T1")) is None
    assert no_thread()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_exit_inside_a_call_is_the_caller_s(sandbox: Sandbox, tmp_path: Path, error: BaseException) -> None:
    """Whoever called gets it, and the client goes on for the other threads."""
    with portal(sandbox, tmp_path) as paypro:

        async def leave(_: PayProClient) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            paypro.call(leave)
        assert raised.value is error
        assert paypro.call(lambda client: client.get("T1")) is None


def test_a_loop_that_was_ended_is_begun_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    """A task of one's own that raises SystemExit ends asyncio's loop; the next call opens a new client."""
    with portal(sandbox, tmp_path) as paypro:

        async def leave(_: PayProClient) -> None:
            async def task() -> None:
                raise SystemExit(3)

            await asyncio.create_task(task())

        with pytest.raises(BaseException):  # noqa: B017  which one is asyncio's affair
            paypro.call(leave)
        with pytest.raises(SystemExit):
            paypro._ended.result(20)
        assert paypro.call(lambda client: client.get("T1")) is None
    assert no_thread()


def test_an_interrupt_while_it_is_opened_leaves_no_second_client(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was being opened is closed by its own thread as soon as it is open, and a later call opens another."""
    go_on, made = threading.Event(), []
    paypro = portal(sandbox, tmp_path)
    make = paypro._make

    def slow() -> PayProClient:
        made.append(one := make())
        if len(made) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            go_on.wait(20)
        return one

    paypro._make = slow
    with pytest.raises(KeyboardInterrupt):
        paypro.open()
    given_up = paypro._ended
    with paypro:
        go_on.set()
        given_up.result(20)
        assert paypro.call(lambda client: client.get("T1")) is None
    assert no_thread()
    assert len(made) == 2


def no_thread() -> bool:
    """Whether no thread of a portal is left, or only for the moment that its last step takes."""
    for one in threading.enumerate():
        if one.name == "paypro":
            one.join(20)
    return not [one for one in threading.enumerate() if one.name == "paypro"]


def run(code: str, sandbox: Sandbox, folder: Path) -> str:
    start = "import os, sys\nfrom paypro_async import *\nfrom paypro_async.integrations.portal import ClientPortal\n"
    start += f"FIELDS = {dict(PAYEE)!r}\npaypro = ClientPortal(PayProClient.from_env)\n"
    done = subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(code)],
        env={**os.environ, **settings(sandbox, folder / "payouts.db")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.trial
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_is_told_so_and_does_not_wait_for_ever(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was opened before the fork is refused in the child, whose end leaves the parent's client open."""
    shown = run(
        """
        paypro.open()
        if (child := os.fork()) == 0:
            try:
                paypro.call(lambda client: client.payout(trade_no="T1", **FIELDS))
            except ClientStateError as error:
                print(error, flush=True)
            sys.exit()
        os.waitpid(child, 0)
        print(paypro.call(lambda client: client.payout(trade_no="T1", **FIELDS)).status.value)
        """,
        sandbox,
        tmp_path,
    )
    assert "before this process was forked" in shown
    assert shown.endswith("processing\n")


@pytest.mark.trial
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_portal_made_before_a_fork_is_opened_after_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """As under a server that loads the application and then forks."""
    shown = run(
        """
        children = []
        for number in range(2):
            if (child := os.fork()) == 0:
                print(paypro.call(lambda client: client.payout(trade_no="T1", **FIELDS)).status.value, flush=True)
                sys.exit()
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        """,
        sandbox,
        tmp_path,
    )
    assert shown.split() == ["processing"] * 2
    assert len(sandbox.books.bookings) == 1


@pytest.mark.trial
def test_an_end_without_close_neither_hangs_nor_loses_a_payout(sandbox: Sandbox, tmp_path: Path) -> None:
    """The program ends while a thread of its own still pays; what it paid is in the ledger."""
    run(
        """
        import threading
        paypro.open()
        pay = lambda: paypro.call(lambda client: client.payout(trade_no="T1", **FIELDS))
        thread = threading.Thread(target=pay, daemon=True)
        thread.start()
        import time
        while paypro.call(lambda client: client.get("T1")) is None:
            time.sleep(0.001)
        """,
        sandbox,
        tmp_path,
    )
    with portal(sandbox, tmp_path) as paypro:
        assert paypro.call(lambda client: client.get("T1")).status.value == "processing"
    assert len(sandbox.books.bookings) == 1


def fake(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


def page(number: int) -> dict[str, Any]:
    """What a block of the page that needs a framework defines."""
    found: dict[str, Any] = {"__name__": "payments"}
    exec(re.findall(r"```py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[number], found)  # noqa: S102
    return found


def environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, folder: Path) -> None:
    for name, value in settings(sandbox, folder / "payouts.db").items():
        monkeypatch.setenv(name, value)


def test_the_page_s_django_views_pay_and_receive(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a real Django, with its CSRF check on: whoever pays needs a token, and PayPro needs none."""
    environment(monkeypatch, sandbox, tmp_path)
    views = page(0)
    with views["paypro"] as paypro, django_site(monkeypatch, views) as http:
        payment = {"trade_no": "T1", **PAYEE}
        assert http.post("/payouts", payment).status_code == 403
        assert len(sandbox.books.bookings) == 0
        token = http.get("/token").content.decode()
        pay = partial(http.post, "/payouts", headers={"X-CSRFToken": token})
        assert pay(payment).json()["status"] == "processing"
        assert pay({**payment, "amount": "x"}).status_code == 422
        assert pay(PAYEE).status_code == 422  # without a number it would be another payout each time
        assert http.get("/paypro").status_code == 405
        number = sandbox.books.orders["T1"].platform_trade_no
        posted = partial(http.post, "/paypro", content_type="application/json")
        assert posted(b"{}").status_code == 400
        told = posted(callback(platFormTradeNo=number))
        assert (told.status_code, told.content) == (200, b"OK")
        assert paypro.call(lambda client: client.get("T1")).status.value == "succeeded"
    assert len(sandbox.books.bookings) == 1


@contextmanager
def django_site(monkeypatch: pytest.MonkeyPatch, views: dict[str, Any]) -> Iterator[Any]:
    """A client of a site with the page's two views, and one that hands out a token."""
    django = pytest.importorskip("django")
    from django.conf import settings as settings_of_django
    from django.http import HttpResponse
    from django.middleware.csrf import get_token
    from django.test import Client
    from django.urls import path

    urls = ModuleType("paypro_site")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("payouts", views["pay"]),
        path("paypro", views["callback"]),
        path("token", lambda request: HttpResponse(get_token(request))),
    ]
    monkeypatch.setitem(sys.modules, "paypro_site", urls)
    if not settings_of_django.configured:
        csrf = "django.middleware.csrf.CsrfViewMiddleware"
        settings_of_django.configure(
            SECRET_KEY="x", ALLOWED_HOSTS=["testserver"], ROOT_URLCONF="paypro_site", MIDDLEWARE=[csrf]
        )
        django.setup(set_prefix=False)
    yield Client(enforce_csrf_checks=True)


def test_the_page_s_celery_task_pays(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with stand-ins that have the shape of Celery's: a task twice is one payout."""
    environment(monkeypatch, sandbox, tmp_path)
    app = SimpleNamespace(task=lambda **options: lambda task: task)
    signal = SimpleNamespace(connect=lambda handler: handler)
    fake(monkeypatch, "celery", Celery=lambda name: app)
    fake(monkeypatch, "celery.signals", worker_process_init=signal, worker_process_shutdown=signal)
    worker = page(1)
    worker["start"](sender=None)
    assert [worker["pay"]({"trade_no": "T1", **PAYEE}) for _ in range(2)] == ["processing"] * 2
    worker["stop"](sender=None)
    assert len(sandbox.books.bookings) == 1
