"""``paypro sign``: what is signed, and how."""

import json
import sys
from pathlib import Path

import click

from paypro_async._core.signing import signing_string
from paypro_async.cli.options import client_settings

__all__ = ["sign"]

_SECRET = "<secret>"  # noqa: S105  what is shown instead


@click.command(short_help="Show what is signed, and how.")
@click.argument("file", default="-", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--explain", is_flag=True, help="Show the fields in order and the exact text that is signed.")
def sign(file: Path, explain: bool) -> None:
    """Sign the fields of a JSON object in FILE (or standard input) with PAYPRO_SECRET.

    For comparing with another implementation: of the secret it only shows where it stands.
    """
    fields = _fields(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    # Where requests would go does not matter here, so it need not be said.
    signer = client_settings(base_url="-", merchant_no="-")["signer"]
    signature = signer.sign(fields)
    if not explain:
        click.echo(signature)
        return
    signed = sorted(name for name, value in fields.items() if name != "sign" and value)
    click.echo("Signed fields, sorted by name:")
    for name in signed:
        click.echo(f"  {name} = {fields[name]}")
    for name in sorted(set(fields) - set(signed)):
        click.echo(f"Left out: {name} ({'never signed itself' if name == 'sign' else 'empty'})")
    text = signing_string(fields)
    whole = text + _SECRET if signer.secret_position == "suffix" else _SECRET + text  # noqa: S105  where it stands
    click.echo(f"\nSigned text, as UTF-8; {_SECRET} stands for your secret:\n  {whole}")
    click.echo(f"\nSignature, its MD5 in lower-case hexadecimal:\n  {signature}")
    if given := fields.get("sign"):
        click.echo(f"\nThe sign in the file {'is the same' if given == signature else 'is another'}.")


def _fields(data: bytes) -> dict[str, str | None]:
    try:
        # Numbers stay as they are written: 300.0 is not 300 in a text that is signed.
        found = json.loads(data, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError as error:
        raise click.UsageError(f"The input is not JSON: {_where(error)}.") from None
    if not isinstance(found, dict):
        raise click.UsageError("The input is not a JSON object of fields.")
    nested = sorted(name for name, value in found.items() if isinstance(value, dict | list))
    if nested:
        raise click.UsageError(f"Only flat fields are signed; these are not: {', '.join(nested)}.")
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in found.items()}


def _where(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno}, column {error.colno}"
    return "it is not text in UTF-8"
