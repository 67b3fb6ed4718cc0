"""The files of examples/deployment are valid, and what docs/deployment.md says of a ledger's mount holds."""

import re
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from paypro_async import ConfigurationError, LedgerUnavailableError, Md5Signer, PayProClient, PayProWarning
from paypro_async.sandbox import Sandbox
from paypro_async.settings import KNOWN

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "deployment"
PAGE = ROOT / "docs" / "deployment.md"
KUBERNETES = sorted(FOLDER.glob("kubernetes/*.yaml"))
UNITS = sorted(FOLDER.glob("systemd/*.service"))
TIMERS = sorted(FOLDER.glob("systemd/*.timer"))
REQUESTS = 35
"""Seconds that uvicorn gives requests that are under way, in all files."""


def documents(path: Path) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="comes with the tools of 'nox -s manifests'")
    return list(yaml.safe_load_all(path.read_text()))


def pods() -> Iterator[dict[str, Any]]:
    for path in KUBERNETES:
        for document in documents(path):
            spec = document.get("spec", {})
            spec = spec.get("jobTemplate", {}).get("spec", spec)
            if pod := spec.get("template", {}).get("spec"):
                yield pod


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_takes_the_manifests(path: Path) -> None:
    """By its own schema of the newest version that is known, with no field that it does not know."""
    validator = pytest.importorskip("kubernetes_validate", reason="comes with the tools of 'nox -s manifests'")
    for document in documents(path):
        validator.validate(document, validator.latest_version(), strict=True)


def test_compose_takes_its_file() -> None:
    """By the schema of the Compose specification."""
    pytest.importorskip("check_jsonschema", reason="comes with the tools of 'nox -s manifests'")
    program = shutil.which("check-jsonschema")
    assert program is not None
    command = [program, "--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """It knows every key and every value; the programs that the units start are where they say."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in (*UNITS, *TIMERS):
        text = re.sub(r"/opt/paypro/bin/\w+", str(program), path.read_text())
        (tmp_path / path.name).write_text(text)
    units = sorted(str(tmp_path / path.name) for path in (*UNITS, *TIMERS))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    own = [line for line in checked.stderr.splitlines() if "paypro" in line]
    assert (checked.returncode, own) == (0, []), checked.stderr


def test_each_timer_starts_a_unit_that_is_there() -> None:
    assert TIMERS
    assert all(path.with_suffix(".service") in UNITS for path in TIMERS)


def commands() -> list[str]:
    """Each ``paypro`` command of the page and of the files, as one line."""
    found: set[str] = set()
    for path in (PAGE, *FOLDER.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            # A list of YAML becomes words.
            text = re.sub(r"\[(paypro, .*)\]", lambda match: re.sub(r'[",]', "", match[1]), text)
            shown = re.findall(
                r"(?:^ *|\$ |bin/|exec \w+ |-- | do |command: |paypro  )paypro ((?!is)[a-z].*)", text, re.MULTILINE
            )
            found |= {re.split(r"[;&|>#']|  ", one)[0].strip(" `.") for one in shown}
    return sorted(found)


@pytest.mark.parametrize("line", commands())
def test_each_command_exists_with_its_options(line: str) -> None:
    """It is read as the command line reads it, and not run."""
    from paypro_async.cli.app import paypro

    command: click.Command = paypro
    context = click.Context(command, info_name="paypro")
    rest = shlex.split(line)
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no paypro {name}"
        command = found
        context = click.Context(command, info_name=name, parent=context)
    command.make_parser(context).parse_args(rest)


def test_the_commands_are_found() -> None:
    """The search for them finds those of the units, of the manifests and of Compose."""
    found = commands()
    assert any(line.startswith("batch ${SALARIES_FILE} --expect-total") for line in found)
    assert "reconcile --older-than 10m --deadline 90 --rate 10 --json" in found
    assert "reconcile --older-than 10m --deadline 50 --rate 10" in found
    assert any(line.startswith("ledger backup") for line in found)


def test_each_variable_means_something() -> None:
    """None is misspelt: a service without its environment would pay into a ledger of another name."""
    named = {
        name
        for path in (PAGE, *FOLDER.rglob("*"))
        if path.is_file()
        for name in re.findall(r"\b(PAYPRO_[A-Z_]+)\b", path.read_text(encoding="utf-8"))
    }
    assert "PAYPRO_LEDGER" in named
    assert named <= KNOWN


def test_a_service_is_given_the_time_that_it_needs_to_end() -> None:
    """The requests that are under way, then the client, and some seconds."""
    client = PayProClient(base_url="https://paypro.example", merchant_no="1", signer=Md5Signer("a secret"))
    [pod] = [pod for pod in pods() if pod.get("terminationGracePeriodSeconds")]
    unit = (FOLDER / "systemd" / "paypro-service.service").read_text()
    stop = documents(FOLDER / "compose.yaml")[0]["services"]["service"]["stop_grace_period"]
    given = [pod["terminationGracePeriodSeconds"], int(stop[:-1]), int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0])]
    assert all(REQUESTS + client.drain + 5 <= seconds for seconds in given)
    image = (FOLDER / "Dockerfile").read_text()
    assert f'"--timeout-graceful-shutdown", "{REQUESTS}"' in image
    assert f"--timeout-graceful-shutdown {REQUESTS} " in unit


def test_nothing_runs_as_root_writes_its_image_or_takes_a_version_that_moves() -> None:
    image = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^USER [1-9]\d*", image, re.MULTILINE)
    services = documents(FOLDER / "compose.yaml")[0]["services"].values()
    names = re.findall(r"^FROM (\S+)", image, re.MULTILINE) + [one["image"] for one in services]
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            names.append(container["image"])
            assert container["securityContext"]["readOnlyRootFilesystem"]
    assert all(re.search(r":\d+\.\d+", name) for name in names)


def test_the_ledger_lies_in_a_folder_within_its_mount() -> None:
    """So that a mount that is missing is noticed: its mount point is there, and the folder is not."""
    mounts = {
        mount["mountPath"] for pod in pods() for one in pod["containers"] for mount in one.get("volumeMounts", [])
    }
    compose = documents(FOLDER / "compose.yaml")[0]["services"]["service"]
    mounts |= {volume.partition(":")[2] for volume in compose["volumes"]}
    for path in (FOLDER / "compose.yaml", FOLDER / "kubernetes" / "service.yaml"):
        [file] = set(re.findall(r"sqlite:///(/[\w/.]+)", path.read_text()))
        assert str(Path(file).parent) not in mounts
        assert str(Path(file).parent.parent) in mounts


class Service:
    """What a service does at each start: open a client, pay one, close it."""

    def __init__(self, sandbox: Sandbox, mount: Path) -> None:
        self.sandbox = sandbox
        self.mount = mount
        self.file = mount / "ledger" / "payouts.db"

    async def pays(self, trade_no: str) -> str:
        async with PayProClient(
            base_url=self.sandbox.base_url,
            environment=self.sandbox.environment,
            merchant_no="0000000001",
            signer=Md5Signer("sandbox-secret"),
            ledger=f"sqlite:///{self.file}",
            ip_address="203.0.113.7",
            notify_url="https://merchant.example/paypro",
            settle_after=2,
        ) as client:
            result = await client.payout(
                amount="300",
                name="Asha Rao",
                mobile="8234567890",
                email="asha@example.com",
                bank_number="10094038292",
                bank_code="IDFB0043121",
                trade_no=trade_no,
            )
        return result.status.value

    def unmount(self) -> None:
        """The mount point is there and empty, as it is where a volume is missing or is another one."""
        self.mount.rename(self.mount.with_name("elsewhere"))
        self.mount.mkdir()

    def mount_again(self) -> None:
        shutil.rmtree(self.mount)
        self.mount.with_name("elsewhere").rename(self.mount)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """One whose ledger lies in a folder of a mounted volume, and that has paid invoice-1."""
    (tmp_path / "mount" / "ledger").mkdir(parents=True)
    async with Sandbox() as sandbox:
        made = Service(sandbox, tmp_path / "mount")
        assert await made.pays("invoice-1") == "processing"
        yield made


async def test_without_its_mount_a_ledger_in_a_folder_of_the_volume_pays_nothing(service: Service) -> None:
    service.unmount()
    with pytest.raises(LedgerUnavailableError, match="Nothing was sent"):
        await service.pays("invoice-2")
    assert not service.file.parent.exists()
    service.mount_again()
    assert await service.pays("invoice-2") == "processing"
    assert service.sandbox.books.booked_once(["invoice-1", "invoice-2"]).exact


async def test_without_its_mount_and_without_the_folder_a_new_ledger_is_made_and_said(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """That is why the folder: an empty mount point alone is taken for a place where a ledger is yet to be made."""
    service.file = service.mount / "payouts.db"
    assert await service.pays("invoice-2") == "processing"
    service.unmount()
    caplog.clear()
    caplog.set_level("INFO", logger="paypro_async")
    assert await service.pays("invoice-3") == "processing"
    assert f"A new ledger is made: {service.file}" in caplog.text


async def test_a_mark_elsewhere_notices_another_volume(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform is asked before each payout that such a ledger does not know."""
    marks = tmp_path / "marks" / "ledger"
    marks.mkdir(parents=True)
    monkeypatch.setenv("PAYPRO_LEDGER_MARK", str(marks))
    assert await service.pays("invoice-2") == "processing"
    service.unmount()
    service.file.parent.mkdir()
    with pytest.warns(PayProWarning, match="its mark elsewhere knows of payouts"):
        assert await service.pays("invoice-3") == "processing"
    paths = [request.path for request in service.sandbox.books.requests if request.trade_no == "invoice-3"]
    assert "query" in paths[0].lower()
    assert service.sandbox.books.booked_once(["invoice-1", "invoice-2", "invoice-3"]).exact


async def test_without_the_mount_of_its_mark_a_ledger_pays_nothing(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "marks" / "ledger"
    marks.mkdir(parents=True)
    monkeypatch.setenv("PAYPRO_LEDGER_MARK", str(marks))
    assert await service.pays("invoice-2") == "processing"
    shutil.rmtree(marks)
    with pytest.raises(ConfigurationError, match="there is no such folder"):
        await service.pays("invoice-3")
    assert service.sandbox.books.booked_once(["invoice-1", "invoice-2"]).exact
