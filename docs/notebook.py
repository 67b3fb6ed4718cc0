"""Runs ``docs/notebook.ipynb``: ``nox -s notebook`` checks what it shows, ``nox -s notebook -- --write`` stores it.

What differs from run to run, such as seconds and rates, is no difference.
"""

import difflib
import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")
SECONDS = 60
VOLATILE = (
    (re.compile(r"[^\r]*\r(?!\n)"), ""),  # a bar before its last state
    (re.compile(r"\d+(?:\.\d+)? s\b"), "… s"),
    (re.compile(r"\[\d\d:\d\d<.*?(?:payout/s|s/payout)"), "[…"),
    (re.compile(r"[0-9a-f]{32}"), "…"),
    (re.compile(r"datetime\.datetime\([\d, ]+"), "…"),
)


def executed(notebook: Any) -> Any:
    """The notebook after a run of all its cells, in a folder of its own."""
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = merged(cell.outputs)
    notebook.metadata = {key: notebook.metadata[key] for key in ("kernelspec",) if key in notebook.metadata}
    return notebook


def merged(outputs: list[Any]) -> list[Any]:
    """The outputs, what was written in pieces as one, and of a bar its last state alone."""
    found: list[Any] = []
    for one in outputs:
        if found and one.output_type == found[-1].output_type == "stream" and one.name == found[-1].name:
            found[-1].text += one.text
        else:
            found.append(one)
    for one in found:
        if one.output_type == "stream":
            one.text = re.sub(r"[^\r\n]*\r(?!\n)", "", one.text)
    return found


def shown(notebook: Any) -> list[str]:
    """What the cells show, but for what is volatile."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    return [steady(json.dumps(one, sort_keys=True, indent=1, ensure_ascii=False)) for one in outputs]


def steady(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return text


def main() -> None:
    """Run it, and write it or compare."""
    committed = nbformat.read(NOTEBOOK, as_version=4)
    before = shown(committed)
    notebook = executed(committed)
    if "--write" in sys.argv:
        nbformat.write(notebook, NOTEBOOK)
        return
    for number, (was, now) in enumerate(zip(before, shown(notebook), strict=True), start=1):
        if was != now:
            lines = difflib.unified_diff(was.splitlines(), now.splitlines(), "stored", "shown", n=1, lineterm="")
            sys.exit("\n".join([f"Cell {number} shows something else; nox -s notebook -- --write stores it.", *lines]))


if __name__ == "__main__":
    main()
