"""Pages of the command line and of settings, made from the code when they are built.

A page says ``<!-- from the code: settings -->``, ``<!-- from the code: exit codes -->`` or
``<!-- from the code: paypro batch -->`` where the table or the command stands.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import click
from sphinx.application import Sphinx

from paypro_async import errors
from paypro_async._core.variables import ALL, Use
from paypro_async.cli.app import paypro
from paypro_async.cli.exits import Exit

MARK = re.compile(r"^<!-- from the code: (.+) -->$", re.MULTILINE)


def rendered(source: str) -> str:
    """The page with what the code says in the place of each mark."""
    return MARK.sub(lambda found: _made(found[1]), source)


def _made(subject: str) -> str:
    if subject == "settings":
        return settings()
    if subject == "errors":
        return error_tree()
    if subject == "exit codes":
        return exit_codes()
    return command(subject.removeprefix("paypro ").split())


def settings() -> str:
    """A section with a table for each use of variables."""
    return "\n\n".join(f"## {use}\n\n{_table(_variables(use), 'variable')}" for use in Use)


def _variables(use: Use) -> Iterator[tuple[list[str], str]]:
    for one in ALL:
        if one.use is use:
            facts = [f"argument `{one.argument}`"] if one.argument else []
            facts += [f"*default:* {one.default}"] if one.default else []
            facts += [one.unit] if one.unit else []
            yield [f"`{one.name}`", *facts], one.meaning


def exit_codes() -> str:
    """What a command ends with."""
    return _table((([f"`{one.value}`"], one.meaning) for one in Exit), "exit code")


def error_tree() -> str:
    """Each error below the one that it is a kind of."""
    rows = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([ │├└─]*)(PayPro\w+|\w+Error) {2,}(\S.*)$", line)
        if found and not found[2].startswith("money"):
            depth = (len(found[1]) - 4) // 4
            meaning = (
                "the base of all, with `money_may_have_moved` and `trade_no`" if depth == 0 else _escaped(found[3])
            )
            rows.append(f"{'  ' * depth}- [`{found[2]}`](#paypro_async.{found[2]}): {meaning}")
    return "\n".join(rows)


def find(words: list[str]) -> click.Command:
    """The command of these names."""
    found: click.Command = paypro
    for word in words:
        found = found.commands[word]  # type: ignore[attr-defined]  the mark on a page names groups before their commands
    return found


def command(words: list[str]) -> str:
    """One command: what it does, how it is called, its options; behind a group the commands in it."""
    found = find(words)
    context = click.Context(found, info_name=" ".join(["paypro", *words]))
    usage = " ".join([context.command_path, *found.collect_usage_pieces(context)])
    # No heading of its own depth: the commands of a group stand beside it, as the shell knows no depth either.
    parts = [f"## paypro {' '.join(words)}", _prose(found.help or ""), f"```text\n{usage}\n```"]
    rows = list(_parameters(found, context))
    parts += [_table(rows, "option")] if rows else []
    if isinstance(found, click.Group):
        parts += [command([*words, name]) for name in found.list_commands(context)]
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    # click marks a paragraph that keeps its lines by \b.
    paragraphs = []
    for one in re.split(r"\n\s*\n", _inspected(text)):
        if one.startswith("\b"):
            paragraphs.append("```text\n" + one.lstrip("\b\n") + "\n```")
        else:
            paragraphs.append(_escaped(" ".join(one.split())))
    return "\n\n".join(paragraphs)


def _inspected(text: str) -> str:
    return text.partition("\f")[0].strip()


def _escaped(text: str) -> str:
    """Text for people as Markdown: names of options and variables, and what stands in quotes or angles, as code."""
    parts = re.split(r"(`[^`]*`)", text)
    for number in range(0, len(parts), 2):
        part = re.sub(r"([*<>|\\])", r"\\\1", parts[number])
        parts[number] = re.sub(r"(?<![\w`-])(--[a-z][a-z-]*|PAYPRO_[A-Z_]+(?:=\w+)?)", r"`\1`", part)
    return "".join(parts)


def _parameters(found: click.Command, context: click.Context) -> Iterator[tuple[list[str], str]]:
    for one in found.params:
        if not isinstance(one, click.Option) or one.hidden:
            continue
        names = [f"`{name}`" for name in [*one.opts, *one.secondary_opts]]
        facts = [f"`{one.make_metavar(context)}`"] if not one.is_flag and not one.count else []
        help_text, _, told = (one.help or "").partition("  [default: ")
        default = told.rstrip("]") or _default(one)
        facts += [f"*default:* {_escaped(default)}"] if default else []
        facts += [f"or `{one.envvar}`"] if isinstance(one.envvar, str) and one.envvar not in default else []
        facts += ["*required*"] if one.required else []
        yield [", ".join(names), *facts], _escaped(help_text)


def _default(option: click.Option) -> str:
    if not option.show_default or option.default is None or option.is_flag:
        return ""
    return option.show_default if isinstance(option.show_default, str) else f"`{option.default}`"


def _table(rows: Any, title: str) -> str:
    lines = ["```{list-table}", ":class: arguments", ":widths: 40 60", ":header-rows: 1", ""]
    lines += [f"* - {title}", "  - meaning"]
    for cell, meaning in rows:
        lines += ["* - " + "\\\n    ".join(cell), f"  - {meaning}"]
    return "\n".join([*lines, "```"])


def _read(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = rendered(source[0])


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Sphinx calls this once."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
