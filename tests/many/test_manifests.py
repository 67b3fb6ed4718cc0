"""The files of examples/many_machines: each is valid by its own schema, and each command in them exists."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from paypro_async import Md5Signer, PayProClient
from paypro_async.cli.app import paypro
from paypro_async.settings import KNOWN

yaml = pytest.importorskip("yaml", reason="comes with the tools of 'nox -s manifests'")

FOLDER = Path(__file__).parents[2] / "examples" / "many_machines"
KUBERNETES = sorted(FOLDER.glob("kubernetes/*.yaml"))
UNITS = sorted(FOLDER.glob("systemd/*.service"))
_FROM_OUTSIDE = {"PGPASSWORD", "POSTGRES_PASSWORD"}  # of PostgreSQL


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def containers() -> Iterator[dict[str, Any]]:
    for path in KUBERNETES:
        for document in documents(path):
            yield from document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def compose() -> dict[str, Any]:
    return documents(FOLDER / "compose.yaml")[0]


def unit(path: Path) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            values.setdefault(name, []).append(value)
    return values


def commands() -> Iterator[list[str]]:
    """Everything that is given to ``paypro`` in these files."""
    for service in compose()["services"].values():
        if service["image"].startswith("paypro"):
            yield service["command"]
    for container in containers():
        yield container["args"]
    for path in UNITS:
        yield shlex.split(unit(path)["ExecStart"][0].replace("%i", "1"))[1:]
    yield json.loads(re.findall(r"^CMD (.*)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)[0])
    for page in (FOLDER / "README.md", *FOLDER.parents[1].glob("docs/runbook.md")):
        for line in re.findall(r"^\$ .*", page.read_text(), re.MULTILINE):
            for _, command in re.findall(r"(^|&& |exec worker |-- )\$? ?paypro ([^&|#\n]*)", line):
                yield shlex.split(command)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_takes_the_manifests(path: Path) -> None:
    """Its own schema of the newest version that is known, with no field that it does not know."""
    validator = pytest.importorskip("kubernetes_validate", reason="comes with the tools of 'nox -s many'")
    for document in documents(path):
        validator.validate(document, validator.latest_version(), strict=True)


def test_compose_takes_its_file() -> None:
    """By the schema of the Compose specification."""
    pytest.importorskip("check_jsonschema", reason="comes with the tools of 'nox -s many'")
    program = shutil.which("check-jsonschema")
    assert program is not None
    command = [program, "--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """It knows every key, and every value; the program they start is where they say."""
    program = tmp_path / "paypro"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/paypro/bin/paypro", str(program)))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service")))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    own = [line for line in checked.stderr.splitlines() if "paypro" in line]
    assert (checked.returncode, own) == (0, []), checked.stderr


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_each_command_exists_with_its_options(arguments: list[str]) -> None:
    """It is read as the command line reads it, and not run."""
    command: click.Command = paypro
    context = click.Context(command, info_name="paypro")
    rest = list(arguments)
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"paypro {' '.join(arguments)}: there is no {name}"
        command = found
        context = click.Context(command, info_name=name, parent=context)
    # Without its callbacks, which open files and ask.
    command.make_parser(context).parse_args(rest)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known


def test_each_variable_means_something() -> None:
    """None is misspelt: a worker without its environment would pay into a ledger of another name."""
    named = set(compose()["services"]["worker"]["environment"])
    for path in (FOLDER / "env.example", FOLDER / "systemd" / "worker.env.example"):
        named |= set(re.findall(r"^(\w+)=", path.read_text(), re.MULTILINE))
    for path in KUBERNETES:
        named |= set(re.findall(r"\b(PAYPRO_\w+)\b", path.read_text()))
    assert named - _FROM_OUTSIDE <= KNOWN


def test_a_worker_is_given_the_time_that_it_needs_to_end() -> None:
    """Its --drain and the client's own, and room beside."""
    client = PayProClient(base_url="https://paypro.example", merchant_no="1", signer=Md5Signer("a secret"))
    [deployment] = [one for one in documents(FOLDER / "kubernetes" / "workers.yaml") if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    [worker] = [path for path in UNITS if "worker" in path.name]
    given = [
        (pod["containers"][0]["args"], pod["terminationGracePeriodSeconds"]),
        (compose()["services"]["worker"]["command"], int(compose()["services"]["worker"]["stop_grace_period"][:-1])),
        (shlex.split(unit(worker)["ExecStart"][0]), int(unit(worker)["TimeoutStopSec"][0])),
    ]
    for arguments, seconds in given:
        drain = float(arguments[arguments.index("--drain") + 1])
        assert drain + client.drain + 5 <= seconds


def test_nothing_runs_as_root_or_with_a_version_that_moves() -> None:
    """Images are pinned; secrets are named, and stand in no file."""
    dockerfile = (FOLDER / "Dockerfile").read_text()
    images = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    images += [service["image"] for service in compose()["services"].values()] + [one["image"] for one in containers()]
    assert all(re.search(r":\d+\.\d+", image) for image in images)
    assert re.search(r"^USER [1-9]\d*", dockerfile, re.MULTILINE)
    for container in containers():
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
    everything = "".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    assert "sandbox-secret" not in everything
    assert not re.search(r"postgresql://\w+:\w+@", everything)
