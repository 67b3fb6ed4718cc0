"""Whether the public face finds slips: ``python tests/typing/check.py``, a part of ``nox -s typing``.

``correct.py`` must pass mypy and pyright, ``wrong.py`` must fail on just the lines that say so, and an editor must
offer the fields of a payout, as pyright's language server does.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
CORRECT, WRONG = FOLDER / "correct.py", FOLDER / "wrong.py"

# What is typed so far, and some of what an editor must offer there.
COMPLETIONS = {
    "PayProClient.from_env().payout(": ("amount=", "name=", "bank_number=", "bank_code=", "remark=", "trade_no="),
    "PayProClient.from_env(": ("ledger=", "transport=", "settle_after="),
    "Payout(": ("amount=", "bank_code="),
}


def marked(path: Path) -> set[int]:
    """The lines that say that they are wrong."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def mypy(path: Path) -> set[int]:
    """The lines in which mypy finds an error."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line) for line in re.findall(rf"{re.escape(path.name)}:(\d+): error:", done.stdout)}


def pyright(path: Path) -> set[int]:
    """The lines in which pyright finds an error."""
    command = [sys.executable, "-m", "pyright", "--outputjson", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


@contextmanager
def language_server() -> Iterator["Server"]:
    """pyright's, as an editor starts it."""
    command = [sys.executable, "-m", "pyright.langserver", "--stdio"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server = Server(process.stdin, process.stdout)
        server.ask("initialize", {"processId": None, "rootUri": ROOT.as_uri(), "capabilities": {}})
        server.tell("initialized", {})
        try:
            yield server
        finally:
            process.terminate()


class Server:
    """Speaks the language server protocol. https://microsoft.github.io/language-server-protocol/"""

    def __init__(self, send: IO[bytes], receive: IO[bytes]) -> None:
        self._send = send
        self._receive = receive
        self._number = 0

    def tell(self, method: str, params: object) -> None:
        self._write({"method": method, "params": params})

    def ask(self, method: str, params: object) -> Any:
        self._number += 1
        self._write({"id": self._number, "method": method, "params": params})
        while True:
            message = self._read()
            if "method" in message and "id" in message:
                # The server asks for settings, and gets its defaults.
                wanted = message["params"].get("items", [])
                self._write({"id": message["id"], "result": [None for _ in wanted]})
            elif message.get("id") == self._number:
                return message.get("result")

    def completions(self, text: str) -> set[str]:
        """What is offered behind *text*."""
        uri = (FOLDER / "typed.py").as_uri()
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        position = {"line": text.count("\n"), "character": len(text.rpartition("\n")[2])}
        offered = self.ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": position})
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        return {one["label"] for one in offered["items"]}

    def _write(self, message: dict[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self._send.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._send.flush()

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._receive.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server ended"
        message: dict[str, Any] = json.loads(self._receive.read(length))
        return message


def problems() -> Iterator[str]:
    """What is not as it should be."""
    wrong = marked(WRONG)
    assert len(wrong) > 20
    for checker in (mypy, pyright):
        if found := checker(CORRECT):
            yield f"{checker.__name__} refuses what is right: {CORRECT.name}, lines {sorted(found)}"
        found = checker(WRONG)
        if missed := wrong - found:
            yield f"{checker.__name__} does not find: {WRONG.name}, lines {sorted(missed)}"
        if more := found - wrong:
            yield f"{checker.__name__} finds more than is marked: {WRONG.name}, lines {sorted(more)}"
    with language_server() as server:
        for typed, expected in COMPLETIONS.items():
            offered = server.completions(f"from paypro_async import Payout, PayProClient\n\n{typed}")
            if missing := set(expected) - offered:
                yield f"an editor does not offer {sorted(missing)} behind {typed}"


if __name__ == "__main__":
    if found := list(problems()):
        sys.exit("\n".join(found))
    print(f"{len(marked(WRONG))} slips are found, what is right passes, and editors offer the fields.")
