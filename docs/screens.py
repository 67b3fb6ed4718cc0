"""Takes the screens of ``docs/screens*.md`` from a real terminal: ``nox -s screens``.

Each command runs in a pseudo-terminal of 80 and of 120 columns, against a sandbox, and what the terminal shows at the
end is written down, with the answers that were typed. It fails where the terminal had to break a word.
"""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

DOCS = Path(__file__).parent
FOLDER = Path("/tmp/payroll")
PORT = 18080
WIDTHS = (80, 120)
HEIGHT = 500  # higher than any screen: nothing scrolls away
STOP = "^C"
ASKS = re.compile(rb"Type the sum: |Type yes: |\[y/N\]: ")
SECONDS = 60

HEADER = "Amount (INR),Beneficiary Name,Mobile No,Email ID,Account No,IFSC,Narration\n"
ROWS = [
    "18500,Asha Rao,8234567890,asha@example.com,50100000000017,IDFB0043121,salary November",
    "21250.50,Ravi Nair,9234567891,ravi@example.com,50100000000025,IDFB0043121,salary November",
    "125000,Meera Iyer,7234567892,meera@example.com,000701234567,HDFC0000007,sandbox:paid",
    "17000,Kabir Shah,6234567893,kabir@example.com,50100000000041,IDFB0043121,sandbox:fail:00029",
    "17000,Zoya Khan,8234567894,zoya@example.com,50100000000058,IDFB0043121,sandbox:paid",
]
WRONG = [
    "18500,Asha Rao,8234567890,asha@example.com,5.01E+13,IDFB0043121,salary November",
    '"1,25,000",Meera Iyer,7234567892,meera@example.com,000701234567,hdfc0000007,salary November',
]
SUM = "198750.50"
SECRETS = {"PAYPRO_APPROVAL_SECRET": "a secret that only Ravi has"}

STORY: list[tuple[str, str, str | None]] = [
    ("Template", "paypro template new.xlsx", None),
    ("A file with something wrong in it", "paypro plan wrong.csv", None),
    ("Plan", "paypro plan salaries.csv", None),
    ("Approve, as a second person", "paypro approve salaries.csv.plan.json --by Ravi", "yes"),
    ("Apply", "paypro apply salaries.csv.plan.json", SUM),
    ("The same once more", "paypro apply salaries.csv.plan.json", None),
    ("Batch: plan and apply in one", "paypro batch bonus.csv", "9000"),
    ("Status", "paypro status", None),
    ("Status of a file", "paypro status salaries.csv", None),
    ("Resume", "paypro resume", None),
    ("The rows that failed, to mend and pay", "paypro plan salaries.failed.csv", None),
    ("Report", "paypro report salaries.csv", None),
    ("Reconcile", "paypro reconcile", None),
    ("The ledger", "paypro ledger show", None),
    ("Some of it", "paypro ledger show --state failed", None),
    ("The steps of a payout", "paypro ledger history bonus-1", None),
    ("One payout", "paypro ledger show bonus-1", None),
    ("Is the ledger sound?", "paypro ledger check", None),
    ("Export", "paypro ledger export all.csv", None),
    ("Backup", "paypro ledger backup copy.db", None),
    ("Bring the tables up to date", "paypro ledger migrate", None),
    ("Was it restored?", "paypro ledger restored", None),
    ("Who listens to changes", "paypro ledger consumers", None),
    ("Tell again what a handler refused", "paypro ledger release bonus-1", None),
    ("Hold", 'paypro ledger hold bonus-1 --by Asha --note "asked PayPro"', None),
    ("Decide", 'paypro ledger decide bonus-1 not-paid --by Asha --note "seen in the dashboard"', None),
    ("Erase what is old", "paypro ledger prune --older-than 400d", None),
    ("Balance", "paypro balance", None),
    ("Query", "paypro query bonus-1", None),
    ("Doctor", "paypro doctor", None),
    ("What is signed", "paypro sign --explain request.json", None),
    ("Sandbox", "paypro sandbox --port 18081", STOP),
    ("Listen", "paypro listen --port 18082", STOP),
    ("Demo", "paypro demo", None),
]


PAGES = {
    "screens-pay": ("Screens: pay a file", "What finance people see from the template to the report.", "Template"),
    "screens-ledger": ("Screens: the ledger", "What those who look after a ledger see.", "Reconcile"),
    "screens-tools": ("Screens: account, sandbox and tools", "What those who set it up and try it out see.", "Balance"),
}
"""Of each page: its title, what it is for, and the screen of the story with which it begins."""


def main() -> None:
    """Take all screens, and write the pages."""
    for name, text in pages({width: list(_story(width)) for width in WIDTHS}).items():
        (DOCS / f"{name}.md").write_text(text, encoding="utf-8")


def pages(screens: Mapping[int, Sequence[str]]) -> dict[str, str]:
    """The text of each page, by its name.

    Args:
        screens: By the columns of the terminal, what it showed for each command of the story.
    """
    begins = {first: page for page, (_, _, first) in PAGES.items()}
    parts: dict[str, list[str]] = {"screens": [INTRODUCTION]}
    page = ""
    for index, (title, command, _) in enumerate(STORY):
        if title in begins:
            page = begins[title]
            heading, purpose, _ = PAGES[page]
            parts[page] = [f"# {heading}\n\n{purpose} All screens: [screens](screens.md).\n"]
        parts["screens"].append(f"| [{title}]({page}.md#{_anchor(title)}) | `{command}` |")
        narrow, wide = (f"```text\n$ {command}\n{screens[width][index]}\n```\n" for width in WIDTHS)
        folded = f"<details>\n<summary>On {WIDTHS[1]} columns</summary>\n\n{wide}\n</details>\n"
        parts[page] += [f"## {title}\n", narrow, folded]
    parts["screens"].append(f"\n```{{toctree}}\n:hidden:\n\n{chr(10).join(PAGES)}\n```\n")
    return {name: "\n".join(text) for name, text in parts.items()}


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


INTRODUCTION = """# Screens

For those who want to see the commands before they install anything. Each screen is taken
from a real terminal of 80 columns, and of 120 (folded), with `nox -s screens`, against the sandbox.

| what | command |
| --- | --- |"""


def _story(width: int) -> Iterator[str]:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    (FOLDER / "salaries.csv").write_text(HEADER + "\n".join(ROWS) + "\n")
    (FOLDER / "wrong.csv").write_text(HEADER + "\n".join(WRONG) + "\n")
    bonus = ROWS[0].replace("18500", "9000").replace("salary November", "bonus 2026")
    (FOLDER / "bonus.csv").write_text(HEADER.replace("\n", ",trade_no\n") + bonus + ",bonus-1\n")
    request = {"merchantNo": "0000000001", "tradeNo": "bonus-1", "amount": "9000"}
    (FOLDER / "request.json").write_text(json.dumps(request))
    with _sandbox() as environment:
        for _, command, answer in STORY:
            yield _shown(command, answer, width, environment)
    shutil.rmtree(FOLDER)


@contextmanager
def _sandbox() -> Iterator[Mapping[str, str]]:
    words = ["paypro", "sandbox", "--port", str(PORT), "--fault-rate", "0", "--paid-after", "0.2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sandbox:
        found: dict[str, str] = {}
        for line in sandbox.stdout or ():
            if match := re.match(r"export (\w+)=(.*)", line.strip()):
                found[match[1]] = match[2]
            if "PAYPRO_SETTLE_AFTER" in found:
                break
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PAYPRO_", "SSL_"))}
        try:
            yield own | found | {"PAYPRO_LEDGER": "payouts.db", "TERM": "xterm-256color"} | SECRETS
        finally:
            sandbox.terminate()


def _shown(command: str, answer: str | None, width: int, environment: Mapping[str, str]) -> str:
    """What stands on the terminal when the command has ended."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(FOLDER)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, width, 0, 0))
        words = shlex.split(command)
        os.execvpe(words[0], words, environment)  # noqa: S606  no shell is wanted
    screen = pyte.Screen(width, HEIGHT)
    stream, said = pyte.ByteStream(screen), b""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if answer == STOP:
            time.sleep(2)  # It has said all that it says.
            os.write(terminal, b"\x03")
            answer = None
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break  # The command has ended.
        if not data:
            break
        stream.feed(data)
        said += data
        if answer is not None and ASKS.search(data):
            os.write(terminal, f"{answer}\n".encode())
            answer = None
    os.close(terminal)
    if long := [line for line in said.decode().split("\r\n") if len(line) > width and "\x1b" not in line]:
        sys.exit(f"{command} at {width} columns: a line does not fit:\n{long[0]}")
    _, status = os.waitpid(process, 0)
    lines = [line.rstrip() for line in screen.display]
    text = "\n".join(lines).strip("\n")
    return f"{text}\n(exit code {code})" if (code := os.waitstatus_to_exitcode(status)) else text


if __name__ == "__main__":
    sys.exit(main())
