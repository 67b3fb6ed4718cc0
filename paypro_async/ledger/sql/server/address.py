"""From a ledger's URL to a server: what libpq is given, and what is set once the connection is there.

Settings in the URL (``?options=-csearch_path=payments``) are not sent with the connection: a pooler refuses that or
ignores it without a word. They are set in each transaction.
"""

import re
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import unquote

from attrs import field, frozen
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from paypro_async._core.secret import HiddenFields, HiddenText, Secret
from paypro_async.errors import ConfigurationError

__all__ = ["ServerAddress", "settings_in"]

_SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_HOW = "Give ledger='postgresql://user@host/database'."
# The words of PostgreSQL's own command line: blanks part them, and a backslash takes a blank into one.
_WORD = re.compile(r"(?:[^\s\\]|\\.)+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)*", re.ASCII)


@frozen
class ServerAddress:
    """Where a server is and how it is reached.

    Args:
        name: What a user calls it; never a password.
        mark: The name under which a mark of the ledger is kept.
        public: What libpq is given, by its own names, but for the secrets.
        secrets: The passwords that the URL holds, by libpq's names, that of a client's key among them.
        settings: What the URL wants to be set, by name.
    """

    name: str
    mark: str
    public: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, Secret[str]]
    settings: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, url: str) -> Self:
        """The server that *url* names. Nothing is connected.

        Raises:
            ConfigurationError: If the URL cannot be read; it is not quoted, since it may hold a password.
        """
        parameters = _parameters(url)
        options = parameters.pop("options", "")
        settings = settings_in(options, source="the ledger's URL")
        if (path := parameters.pop("search_path", None)) is not None:
            settings["search_path"] = path
        database, service = parameters.get("dbname", ""), parameters.get("service")
        host = parameters.get("host")
        mark = f"{host or 'localhost'}/{database}"
        name = f"service {service}" if service and not host else mark
        secrets = {name: Secret(parameters.pop(name)) for name in _SECRETS if name in parameters}
        return cls(name, mark, parameters, secrets, settings)

    @property
    def parameters(self) -> HiddenFields[str, str]:
        """What libpq is given, by its own names, the secrets with it."""
        return HiddenFields(self.public, **{name: one.reveal() for name, one in self.secrets.items()})


def settings_in(options: str, *, source: str) -> dict[str, str]:
    """What ``-c name=value`` says, as often as it stands in *options*, by name.

    Raises:
        ConfigurationError: If something else stands there. *source* says to people where that is.
    """
    words = [re.sub(r"\\(.)", r"\1", word) for word in _WORD.findall(options)]
    settings: dict[str, str] = {}
    while words:
        word = words.pop(0)
        given = words.pop(0) if word == "-c" and words else word[2:] if word.startswith(("-c", "--")) else ""
        name, equals, value = given.partition("=")
        name = name.replace("-", "_").lower()
        if not equals or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"The options in {source} are not understood: only -c name=value is, as in "
                "?options=-csearch_path%3Dpayments. Nothing was sent."
            )
        settings[name] = value
    return settings


def _parameters(url: str) -> HiddenFields[str, str]:
    # Nothing is raised while another error is handled, which quotes the URL; nor does a traceback of ours show it.
    url = HiddenText(url)
    read = _read_by_sqlalchemy(url) or _read_by_libpq(url)  # which knows several hosts with a port each
    if read is None:
        raise ConfigurationError(f"The ledger's URL cannot be read. Nothing was sent. {_HOW}")
    given: HiddenFields[str, str] = HiddenFields(
        (name, _joined(name, value) if isinstance(value, tuple) else str(value)) for name, value in read.items()
    )
    if "host" in given:
        given["host"] = unquote(given["host"])  # a folder of sockets may stand there: %2Frun%2Fpostgresql
    _refuse(given)
    return given


def _read_by_sqlalchemy(url: str) -> HiddenFields[str, Any] | None:
    try:
        return HiddenFields(psycopg_dialect().create_connect_args(make_url(url))[1])  # type: ignore[no-untyped-call]
    except (ArgumentError, ValueError):
        return None


def _read_by_libpq(url: str) -> HiddenFields[str, Any] | None:
    from psycopg import Error  # noqa: PLC0415  a ledger in a file does without it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        return HiddenFields(conninfo_to_dict(url))
    except (Error, ValueError):
        return None


def _joined(name: str, values: tuple[str, ...]) -> str:
    """One value of several that the URL gives."""
    between = {"options": " ", "search_path": ","}.get(name)
    return values[-1] if between is None else between.join(values)


def _is_host(host: str) -> bool:
    try:
        return host.startswith(("/", "@")) or bool(host.encode("idna"))
    except UnicodeError:
        return False


def _refuse(given: Mapping[str, str]) -> None:
    """Raise for what would lead elsewhere, in words that say what is wrong and quote nothing secret."""
    if any(_CONTROL.search(value) for value in given.values()):
        raise ConfigurationError(
            "The ledger's URL holds a control character or a broken one, behind which libpq would not read on. Nothing "
            f"was sent. {_HOW}"
        )
    # Without a host a slash too many makes the rest a database's name.
    if "@" in given.get("host", given.get("dbname", "")):
        raise ConfigurationError(
            "The ledger's URL holds an @ too many, so that a part of the password would be taken for the host. "
            "Nothing was sent. Write an @ of the password as %40."
        )
    if not all(port.isdigit() for port in given.get("port", "0").split(",") if port):
        raise ConfigurationError(
            "The ledger's URL has a port that is no number. Nothing was sent. If a : or a / stands in the password, "
            f"write %3A or %2F. {_HOW}"
        )
    if not all(_is_host(host) for host in given.get("host", "").split(",") if host):
        raise ConfigurationError(f"The ledger's URL names a host that cannot be one. Nothing was sent. {_HOW}")
