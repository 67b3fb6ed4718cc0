"""The face of the package: what it offers, what it costs to import, and what it never shows."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import attrs
import pytest

import paypro_async
from paypro_async import HmacSha256Signer, Md5Signer, MemoryLedger, Payout, PayProClient
from paypro_async._core.regions.india import PayoutFields
from paypro_async.settings import ClientSettings

PACKAGE = Path(paypro_async.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
NOT_AT_IMPORT = [
    "aiohttp",
    "cattrs",
    "click",
    "h11",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "rich",
    "sqlalchemy",
    "sqlite3",
]


def imported(source: Path) -> set[str]:
    """The modules that a file names in its imports, those inside functions and conditions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # A relative import of the root itself would be `from .. import x` in the first folder.
            depth = len(source.relative_to(PACKAGE).parts)
            root = node.level == depth and not node.module
            found.add("paypro_async" if root else "." * node.level + (node.module or ""))
    return found


def child(code: str) -> str:
    """What a fresh interpreter prints; without the measuring of coverage, which imports things of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=plain)
    assert done.stderr == ""
    return done.stdout.strip()


def test_all_is_sorted_and_complete():
    """Every name in __all__ exists, each once, in order; and every public name of the module is in it."""
    names = paypro_async.__all__
    assert list(names) == sorted(set(names))
    assert not [name for name in names if not hasattr(paypro_async, name)]
    public = {
        name
        for name, value in vars(paypro_async).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(names) - {"__version__"}


def test_star_import_brings_what_is_promised():
    """And nothing else."""
    got = child("from paypro_async import *; print(sorted(n for n in dir() if not n.startswith('__')))")
    assert ast.literal_eval(got) == sorted(name for name in paypro_async.__all__ if not name.startswith("__"))


@pytest.mark.parametrize("name", [name for name in paypro_async.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str):
    """A class or a function has a docstring of its own, and so has each of its public methods and properties."""
    thing = getattr(paypro_async, name)
    assert thing.__doc__
    if not inspect.isclass(thing):
        return
    for member, value in vars(thing).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not member.startswith("_") and inspect.isfunction(function) and function.__module__.startswith("paypro"):
            assert function.__doc__, f"{name}.{member}"


WARNINGS = ("PayProDeprecationWarning", "PayProWarning", "Problem")
"""What is no error of the tree."""


def test_every_error_says_what_is_certain_about_the_money():
    """Each class of the tree is public, documented, and below PayProError."""
    errors = importlib.import_module("paypro_async.errors")
    for name in errors.__all__:
        assert getattr(errors, name) is getattr(paypro_async, name)
        assert getattr(errors, name).__module__ == "paypro_async.errors"
        assert name in (errors.__doc__ or "") or name in WARNINGS
        if name not in WARNINGS:
            assert issubclass(getattr(errors, name), errors.PayProError)
            assert isinstance(getattr(errors, name).money_may_have_moved, bool)


def test_importing_the_package_loads_nothing_optional():
    """Neither an optional package nor httpx, SQLAlchemy or cattrs: those come with their first use."""
    loaded = child("import sys, paypro_async; print(sorted({name.split('.')[0] for name in sys.modules}))")
    assert not set(ast.literal_eval(loaded)) & set(NOT_AT_IMPORT)


def test_what_pays_loads_nothing_that_only_a_page_needs():
    """Each process that pays loads it; the page of a report and the metadata of the package take a tenth more."""
    loaded = child("import sys, paypro_async; print(sorted(sys.modules))")
    assert not set(ast.literal_eval(loaded)) & {"importlib.metadata", "paypro_async.report.html"}


def test_making_a_client_loads_no_network_and_no_database():
    """A client with a ledger in memory costs neither before it is opened."""
    loaded = child(
        "import sys; from paypro_async import *;"
        "PayProClient(base_url='https://x.example', merchant_no='1', signer=Md5Signer('s'), ledger='memory');"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    assert not set(ast.literal_eval(loaded)) & set(NOT_AT_IMPORT)


def test_a_file_of_the_package_keeps_to_itself_and_to_one_subject():
    """It does not import the root, which re-exports, and it is shorter than 400 lines."""
    assert SOURCES
    assert [source for source in SOURCES if "paypro_async" in imported(source)] == []
    assert [source for source in SOURCES if len(source.read_text(encoding="utf-8").splitlines()) >= 400] == []


@pytest.mark.parametrize(
    "name", ["money", "models", "intent", "wire", "codec", "items", "tally", "lifecycle", "field_checks"]
)
def test_money_never_meets_a_float(name: str):
    """Where amounts pass, nothing makes a float, and JSON numbers are read as Decimal."""
    source = (PACKAGE / "_core" / f"{name}.py").read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("float", "round")]
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "loads":
            hooks = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert hooks.get("parse_float") == "Decimal"


SECRET = "s3cr3t-app-key"


@pytest.mark.parametrize(
    "thing",
    [
        Md5Signer(SECRET),
        Md5Signer(SECRET, secret_position="prefix"),
        HmacSha256Signer(SECRET),
        PayProClient(base_url="https://x.example", merchant_no="1", signer=Md5Signer(SECRET)),
        PayProClient(
            base_url="https://x.example",
            merchant_no="1",
            signer=Md5Signer(SECRET),
            proxy=f"http://u:{SECRET}@p.example",
        ),
    ],
    ids=["md5", "md5 prefix", "hmac", "client", "client with proxy"],
)
def test_a_secret_is_in_no_repr(thing: object):
    """Neither as text nor as bytes, nor in a formatted string."""
    for shown in (repr(thing), str(thing), f"{thing}", repr([thing])):
        assert SECRET not in shown


def test_a_payout_shows_nobody_in_its_repr():
    """Names, mobiles, e-mails, account numbers and remarks are masked by type."""
    personal = {
        "name": "Asha Rao",
        "mobile": "8234567890",
        "email": "asha@gmail.com",
        "bank_number": "10094038292",
        "remark": "for her operation",
    }
    shown = repr(Payout(amount="300", bank_code="IDFB0043121", trade_no="T1", **personal))
    assert not [value for value in personal.values() if value in shown]
    assert "T1" in shown
    assert "300" in shown


async def test_an_entry_of_the_ledger_shows_nobody_in_its_repr():
    """What the ledger gives back holds the content and does not show it."""
    from tests.support.merchant import MERCHANT_NO, PERSONAL, fields, scripted_client
    from tests.support.scripted import Scripted

    async with scripted_client(Scripted(), ledger=MemoryLedger()) as client:
        await client.payout(**fields())
        entry = await client.ledger.get(MERCHANT_NO, "T1")
    assert entry.content["bankNumber"] in PERSONAL
    assert not [value for value in PERSONAL if value in repr(entry)]


def test_the_version_is_that_of_the_project():
    """Read when asked for, and an unknown name is an AttributeError as everywhere."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert paypro_async.__version__ == project["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    with pytest.raises(AttributeError, match="nonsense"):
        paypro_async.nonsense  # noqa: B018


def test_the_typed_arguments_are_those_of_the_code():
    """What editors and type checkers are told of a payout's fields and a client's settings is what there is."""
    fields = attrs.fields_dict(Payout)
    assert set(PayoutFields.__annotations__) == set(fields)
    assert PayoutFields.__required_keys__ == {name for name, one in fields.items() if one.default is attrs.NOTHING}
    told = get_type_hints(PayoutFields)
    assert {name: told[name] for name in fields} == {name: one.type for name, one in fields.items()}
    settings = inspect.signature(PayProClient).parameters
    assert get_type_hints(ClientSettings) == {name: get_type_hints(PayProClient.__init__)[name] for name in settings}


def test_no_import_warns():
    """Of any module; an extra that is not installed is named by its error. The examples of the pages would hide it."""
    code = """
import warnings
warnings.simplefilter("error")
import importlib, pkgutil, paypro_async
for module in pkgutil.walk_packages(paypro_async.__path__, "paypro_async."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            assert "pip install 'paypro-async[" in str(error), error
print("imported")
"""
    assert child(code) == "imported"
