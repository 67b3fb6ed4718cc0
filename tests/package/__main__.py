"""Build the package once, and try the wheel where there is no checkout: alone, and with each extra alone.

``nox -s package`` runs it; names of extras as arguments try these only. What it builds lies in ``dist/``: the source,
the wheel, and what the wheel brings along with all extras (an SBOM in the form of CycloneDX).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tests.package.example import EXAMPLES
from tests.support.postgres import Server

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
PYTHON = os.environ.get("PACKAGE_PYTHON", sys.executable)
PACKAGES = ("paypro_async", "pytest_paypro_async")
ON_A_SERVER = {"postgres", "procrastinate", "dbos"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*words: str, **more: object) -> None:
    subprocess.run(words, check=True, **more)  # type: ignore[call-overload]


def built(into: Path) -> tuple[Path, Path]:
    """The source and, made from that alone, the wheel; of one commit always the same bytes."""
    stamp = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": stamp.stdout.strip() or "1767225600"}
    run(sys.executable, "-m", "build", "--outdir", str(into), str(ROOT), env=environment, stdout=subprocess.DEVNULL)
    (source,), (wheel,) = into.glob("*.tar.gz"), into.glob("*.whl")
    return source, wheel


def check_contents(source: Path, wheel: Path) -> None:
    """The wheel holds the package and nothing else; the source holds its tests, and nobody's machine is in either."""
    names = zipfile.ZipFile(wheel).namelist()
    info = f"paypro_async-{PROJECT['version']}.dist-info/"
    assert all(name.startswith((*(f"{one}/" for one in PACKAGES), info)) for name in names), names
    assert {"paypro_async/py.typed", f"{info}licenses/LICENSE", f"{info}entry_points.txt"} <= set(names)
    packed = {path.relative_to(ROOT).as_posix() for one in PACKAGES for path in (ROOT / one).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == packed
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "noxfile.py", "tests/conftest.py", "docs/index.md"} <= inside
    assert not [name for name in inside if "__pycache__" in name or name.startswith((".git/", "docs/_build"))]


def environment_of(folder: Path, *packages: str) -> Path:
    """A clean environment with these alone; its interpreter."""
    run("uv", "venv", "-q", "--python", PYTHON, str(folder))
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run("uv", "pip", "install", "-q", "--python", str(python), *packages)
    return python


def try_extra(extra: str, wheel: Path, server: Server | None) -> None:
    """Run the example of an extra, with the wheel and that extra, where nothing of the checkout can be imported."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        more = ["httpx"] if extra in ("starlette", "fastapi") else []  # what their own test client needs
        python = environment_of(folder / "env", wanted, *more)
        work = folder / "work"
        work.mkdir()
        shutil.copy(ROOT / "tests/package/example.py", work)
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PAYPRO", "COV"))}
        if extra in ON_A_SERVER:
            assert server is not None
            plain["LEDGER"] = server.database()
        # Isolated: neither the folder of the call nor a variable adds a place to import from.
        run(str(python), "-I", "example.py", extra, cwd=work, env=plain, timeout=180)
    print(f"ok: {extra or 'the wheel alone'}", flush=True)


def write_sbom(wheel: Path) -> None:
    """What the wheel brings with all extras, but for its engines' own choice; without a word of this machine."""
    with tempfile.TemporaryDirectory() as name:
        extras = ",".join(sorted(PROJECT["optional-dependencies"]))
        python = environment_of(Path(name) / "env", f"{wheel}[{extras}]")
        bill = DIST / f"paypro_async-{PROJECT['version']}.cdx.json"
        made = ["-m", "cyclonedx_py", "environment", "--output-reproducible", "--validate", "--spec-version", "1.6"]
        run(sys.executable, *made, "--pyproject", str(ROOT / "pyproject.toml"), "-o", str(bill), str(python))
    told = json.loads(bill.read_text(encoding="utf-8"))
    for component in told["components"]:
        # From where the installer had it is no business of who reads it.
        component.pop("externalReferences", None)
    found = {component["name"].lower() for component in told["components"]}
    assert {"attrs", "httpx", "sqlalchemy", "cryptography", "procrastinate"} <= found, found
    text = json.dumps(told, indent=1, sort_keys=True)
    assert name not in text
    assert str(ROOT) not in text
    bill.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    asked = sys.argv[1:]
    extras = {"", *PROJECT["optional-dependencies"]}
    assert set(EXAMPLES) == extras, f"each extra has an example: {set(EXAMPLES) ^ extras}"
    shutil.rmtree(DIST, ignore_errors=True)
    source, wheel = built(DIST)
    with tempfile.TemporaryDirectory() as other:
        for one, same in zip((source, wheel), built(Path(other)), strict=True):
            digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, same)}
            assert len(digests) == 1, f"{one.name} differs from build to build"
    print(f"built twice, the same bytes: {source.name}, {wheel.name}", flush=True)
    check_contents(source, wheel)
    run(sys.executable, "-m", "twine", "check", "--strict", str(source), str(wheel))
    wanted = sorted(extras) if not asked else [re.sub("^base$", "", one) for one in asked]
    server = Server() if ON_A_SERVER & set(wanted) else None
    try:
        for extra in wanted:
            try_extra(extra, wheel, server)
    finally:
        if server is not None:
            server.close()
    if not asked:
        write_sbom(wheel)
    print(f"in dist/: {', '.join(sorted(path.name for path in DIST.iterdir()))}")


if __name__ == "__main__":
    main()
