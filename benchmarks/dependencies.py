"""Measure what each dependency costs: ``python -m benchmarks.dependencies [--write]``.

Each is installed alone into a new environment, by uv or else by pip, which takes a network. Counted are the packages
that it brings, itself included, the size of their files without compiled ones, and what its import takes of CPU time,
the least of several new processes. ``--write`` puts the tables into docs/dependencies.md.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "dependencies.md"
OURS = "paypro-async"
BEGIN = "<!-- {}: begin (python -m benchmarks.dependencies --write) -->\n"
END = "<!-- {}: end -->\n"
MODULES = {
    "cryptography": "cryptography.hazmat.primitives.ciphers.aead",
    "opentelemetry-api": "opentelemetry.trace",
    "python-calamine": "python_calamine",
    "rich": "rich.console",
    "starlette": "starlette.requests",
}
"""What is imported of a package, where that is not the module of its name alone."""
IMPORTS = 15
LOOK = """
import importlib.metadata as all, json
found = {}
for one in all.distributions():
    size = sum(p.locate().stat().st_size for p in one.files or () if p.suffix != ".pyc" and p.locate().is_file())
    licence = one.metadata["License-Expression"] or ""
    if not licence and len(one.metadata["License"] or "") < 40:
        licence = one.metadata["License"] or ""
    kinds = [k.rpartition(" :: ")[2] for k in one.metadata.get_all("Classifier") or () if k.startswith("License")]
    found[one.name.lower().replace("_", "-")] = [size, licence or ", ".join(kinds)]
print(json.dumps(found))
"""
TIME = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"


class Requirement(NamedTuple):
    """One line of pyproject.toml that names another package."""

    name: str
    """The package, as it is spelt there."""
    text: str
    """The line: with its versions, and with extras of the package."""
    extra: str
    """The extra that asks for it, or nothing where every installation has it."""


def requirements() -> list[Requirement]:
    """What pyproject.toml names, each package once: first what every installation has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, Requirement] = {}
    for extra, lines in {"": project["dependencies"], **project["optional-dependencies"]}.items():
        for line in lines:
            name = re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]
            if name != OURS:
                found.setdefault(name, Requirement(name, line, extra))
    return list(found.values())


def extras() -> dict[str, list[str]]:
    """By extra: the packages that it adds to an installation without one, as lines for an installer."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    def whole(extra: str) -> Iterator[str]:
        for line in lines[extra]:
            if inner := re.fullmatch(rf"{OURS}\[(.+)\]", line):
                for one in inner[1].split(","):
                    yield from whole(one)
            else:
                yield line

    return {extra: list(whole(extra)) for extra in lines}


class Installed(NamedTuple):
    """An environment with some packages."""

    python: Path
    packages: dict[str, tuple[int, str]]
    """By name: the bytes of its files, and its licence."""

    @property
    def size(self) -> float:
        """Of all files, in millions of bytes."""
        return sum(size for size, _ in self.packages.values()) / 1e6

    def import_time(self, module: str) -> float:
        """What an import takes of CPU time in a new process, in milliseconds."""
        command = [str(self.python), "-c", TIME.format(module)]
        run(command)  # which compiles
        return 1000 * min(float(run(command)) for _ in range(IMPORTS))  # what else runs only adds


def install(folder: Path, lines: list[str]) -> Installed:
    """Make an environment in a new folder and install the packages there."""
    venv.create(folder, with_pip=shutil.which("uv") is None)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if uv := shutil.which("uv"):
        run([uv, "pip", "install", "-q", "--python", str(python), *lines], UV_COMPILE_BYTECODE="0")
    else:
        run([str(python), "-m", "pip", "install", "-q", *lines])
    found: dict[str, Any] = json.loads(run([str(python), "-c", LOOK]))
    return Installed(python, {name: tuple(one) for name, one in found.items() if name not in {"pip", "setuptools"}})


def run(command: list[str], **variables: str) -> str:
    """What a program prints; what went wrong is shown as it stands."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**environment, **variables})
    return done.stdout


def tables(folder: Path) -> dict[str, str]:
    """By the word that marks its place: a table of what was measured."""
    single = ["| package | packages | MB | import, ms | licence |", "| --- | ---: | ---: | ---: | --- |"]
    for number, one in enumerate(requirements()):
        env = install(folder / f"one-{number}", [one.text])
        took = env.import_time(MODULES.get(one.name, one.name))
        licence = env.packages[one.name.lower()][1]
        single.append(f"| [{one.name}](#{one.name}) | {len(env.packages)} | {env.size:.1f} | {took:.0f} | {licence} |")
    added = ["| installed | packages | MB |", "| --- | ---: | ---: |"]
    base = install(folder / "base", [str(ROOT)])
    known, ours = (base.import_time(module) for module in ("asyncio", "paypro_async"))
    single += ["", f"There, `import asyncio` takes {known:.0f} ms, and `import paypro_async` {ours:.0f} ms."]
    added.append(f"| `{OURS}` | {len(base.packages)} | {base.size:.1f} |")
    for number, (extra, lines) in enumerate(extras().items()):
        env = install(folder / f"extra-{number}", [str(ROOT), *lines])
        more = len(env.packages) - len(base.packages)
        added.append(f"| with `[{extra}]` | +{more} | +{env.size - base.size:.1f} |")
    return {"single": "\n".join(single) + "\n", "extras": "\n".join(added) + "\n"}


def with_tables(page: str, made: dict[str, str]) -> str:
    """The page with tables in the places that are marked for them."""
    for name, table in made.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = page.partition(begin)
        tail = rest.partition(end)[2]
        page = f"{head}{begin}\n{table}\n{end}{tail}"
    return page


def main() -> int:
    """Measure all, and print it or write it into the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="put the tables into docs/dependencies.md")
    write = options.parse_args().write
    with tempfile.TemporaryDirectory(prefix="dependencies-") as folder:
        made = tables(Path(folder))
    if write:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    else:
        print("\n".join(made.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
