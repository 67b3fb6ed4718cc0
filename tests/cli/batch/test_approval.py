"""The two-person rule: who plans does not approve, and nothing is paid that nobody approved."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from paypro_async import ConfigurationError
from paypro_async._core.secret import Secret
from paypro_async.bulk import Approval, ApprovalMissingError, PlanFile, approve, approved_by, read_approvers
from paypro_async.sandbox import Sandbox
from tests.bulk.test_plan_file import PLAN as SAMPLE
from tests.support.plans import planned as planned_before
from tests.support.terminal import Done, Terminal

PLAN = "payouts.csv.plan.json"
ASHA, BO = "asha-has-32-characters-of-her-own", "bo-too-has-characters-of-his-own!"
FOUND = "payouts.csv.plan.approval-asha.json"


@pytest.fixture
async def planned(terminal: Terminal) -> Terminal:
    """A plan of three payouts, and who may approve it."""
    (terminal.folder / "approvers").write_text(f"# who may approve\nAsha: {ASHA}\n\nBo : {BO}\n")
    terminal.environment["PAYPRO_APPROVERS_FILE"] = "approvers"
    terminal.file(3)
    await planned_before(terminal)
    return terminal


async def approve_as(terminal: Terminal, name: str, secret: str, *options: str) -> Done:
    return await terminal.run(
        "approve", PLAN, "--by", name, "--yes", *options, env={"PAYPRO_APPROVAL_SECRET": secret, "PAYPRO_SECRET": None}
    )


async def refused(terminal: Terminal, said: str, *options: str, code: int = 3) -> None:
    """Nothing is sent, and it says why."""
    done = await terminal.run("apply", PLAN, "--require-approval", "--json", *options)
    assert done.code == code, done.err
    assert said in done.err
    assert done.summary["sent_now"] == 0
    assert ASHA not in done.err + done.out
    assert BO not in done.err + done.out


async def test_an_approved_plan_is_paid(planned: Terminal, sandbox: Sandbox) -> None:
    """By who finds the approval beside it; whose it was is said."""
    await refused(planned, "The plan was not approved by a second person, so nothing was sent.")
    done = await approve_as(planned, "Asha", ASHA)
    assert done.code == 0, done.err
    assert "Approved by Asha: 3 payouts, 303.00 INR, planned by " in done.out
    assert not sandbox.books.bookings
    paid = await planned.run("apply", PLAN, "--require-approval")
    assert paid.code == 0, paid.err
    assert "Approved by Asha on 20" in paid.err
    assert len(sandbox.books.bookings) == 3


async def test_an_approval_holds_no_secret(planned: Terminal) -> None:
    """Only what it signs, and the signature."""
    await approve_as(planned, "Asha", ASHA)
    found = json.loads((planned.folder / FOUND).read_text())
    assert set(found) == {"paypro_approval", "plan", "by", "at", "signature"}
    assert ASHA not in str(found)


async def test_it_is_kept_in_the_ledger(planned: Terminal, sandbox: Sandbox) -> None:
    """Where it is found when its file is gone, and the run goes on."""
    await approve_as(planned, "Asha", ASHA)
    assert (await planned.run("apply", PLAN, "--require-approval")).code == 0
    (planned.folder / FOUND).unlink()
    again = await planned.run("apply", PLAN, "--require-approval")
    assert again.code == 0, again.err
    assert "Approved by Asha" in again.err
    assert len(sandbox.books.bookings) == 3


async def test_one_of_two_approvers_is_enough(planned: Terminal, sandbox: Sandbox) -> None:
    """If the one may no longer approve, the other one's counts."""
    await approve_as(planned, "Asha", ASHA)
    await approve_as(planned, "bo", BO)
    (planned.folder / "approvers").write_text(f"Bo: {BO}\n")
    done = await planned.run("apply", PLAN, "--require-approval")
    assert done.code == 0, done.err
    assert "Approved by bo" in done.err


async def test_an_approval_elsewhere_is_named(planned: Terminal, sandbox: Sandbox) -> None:
    """With --approval, as often as is wanted."""
    await approve_as(planned, "Asha", ASHA, "-o", "mine.json")
    await refused(planned, "was not approved")
    done = await planned.run("apply", PLAN, "--require-approval", "--approval", "mine.json")
    assert done.code == 0, done.err


async def test_who_made_the_plan_does_not_approve_it(planned: Terminal, sandbox: Sandbox) -> None:
    """In whatever case the name is written; nor does a file with a valid signature of theirs count."""
    path = planned.folder / PLAN
    maker = PlanFile.load(path).made_by
    done = await approve_as(planned, f" {maker.upper()} ", ASHA)
    assert done.code == 2
    assert "has made this plan, and a second person approves it" in done.err

    plan = PlanFile.load(path)
    own = approve(evolve(plan, made_by="nobody"), by=maker, secret=ASHA, at=datetime.now(UTC))
    (planned.folder / "approvers").write_text(f"{maker}: {ASHA}\n")
    own.save(planned.folder / "own.json")
    await refused(planned, "is for another plan", "--approval", "own.json")


async def test_a_plan_says_who_made_it_whatever_the_environment_says(terminal: Terminal) -> None:
    """Or its maker could approve it under the own name."""
    terminal.file(1)
    names = {"USER": "somebody", "LOGNAME": "somebody", "USERNAME": "somebody", "LNAME": "somebody"}
    assert (await terminal.run("plan", "payouts.csv", env=names)).code == 0
    assert PlanFile.load(terminal.folder / PLAN).made_by != "somebody"


def forged(path: Path) -> None:
    path.write_text(path.read_text().replace('"signature": "', '"signature": "0'))


def named_otherwise(path: Path) -> None:
    path.write_text(path.read_text().replace('"by": "Asha"', '"by": "Bo"'))


def dated_otherwise(path: Path) -> None:
    path.write_text(path.read_text().replace('"at": "20', '"at": "21'))


def made_up(path: Path) -> None:
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"signature": "ü\ud800"}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (forged, "that of Asha was not signed with the secret of Asha"),
        (named_otherwise, "that of Bo was not signed with the secret of Bo"),
        (dated_otherwise, "that of Asha was not signed with the secret of Asha"),
        (made_up, "that of Asha was not signed with the secret of Asha"),
    ],
)
async def test_an_approval_that_was_changed_does_not_count(
    planned: Terminal, sandbox: Sandbox, change: Callable[[Path], None], said: str
) -> None:
    """Signature, name and time are signed."""
    await approve_as(planned, "Asha", ASHA)
    change(planned.folder / FOUND)
    await refused(planned, said)
    assert not sandbox.books.bookings


async def test_an_approval_of_another_plan_does_not_count(planned: Terminal, sandbox: Sandbox) -> None:
    """Nor that of the same file planned again, which nobody has looked at."""
    await approve_as(planned, "Asha", ASHA)
    path = planned.folder / PLAN
    plan = PlanFile.load(path)
    evolve(plan, made_at=datetime(2026, 1, 1, tzinfo=UTC)).save(path, replace=True)
    await refused(planned, "that of Asha is for another plan, or this one was made anew since")
    assert not sandbox.books.bookings


async def test_a_stranger_does_not_approve(planned: Terminal, sandbox: Sandbox) -> None:
    """Who is not listed, and who has another secret than the listed one."""
    await approve_as(planned, "Cara", "c" * 32)
    await refused(planned, "Cara is not among those who may approve")
    await approve_as(planned, "Asha", "a" * 32)
    await refused(planned, "that of Asha was not signed with the secret of Asha")
    assert not sandbox.books.bookings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Asha\n", "Line 1 of the approvers' file is not NAME: SECRET"),
        ("# x\nAsha: short\n", "Line 2 of the approvers' file is not NAME: SECRET"),
        (f"Asha: {ASHA}\nASHA: {BO}\n", "Line 2 of the approvers' file names somebody who has a secret"),
        (f": {ASHA}\n", "Line 1 of"),
    ],
)
async def test_a_wrong_list_of_approvers_is_refused(planned: Terminal, text: str, said: str) -> None:
    """Exit code 2, and no line of it is shown."""
    await approve_as(planned, "Asha", ASHA)
    (planned.folder / "approvers").write_text(text)
    await refused(planned, said, code=2)


async def test_a_list_that_is_no_text_shows_nothing_of_itself(planned: Terminal) -> None:
    """Nor one that is not there, or not named."""
    (planned.folder / "approvers").write_bytes(b"Asha: " + ASHA.encode() + b"\xff\n")
    await refused(planned, "The approvers' file is not text in UTF-8.", code=2)
    (planned.folder / "approvers").unlink()
    await refused(planned, "No such file", code=1)
    del planned.environment["PAYPRO_APPROVERS_FILE"]
    await refused(planned, "PAYPRO_APPROVERS_FILE does not say who may approve", code=2)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PAYPRO_APPROVAL_SECRET": "short"}, "has at least 16 characters"),
        ({}, "Set PAYPRO_APPROVAL_SECRET_FILE to a file that only you can read"),
        ({"PAYPRO_APPROVAL_SECRET": ""}, "Set PAYPRO_APPROVAL_SECRET_FILE"),
    ],
)
async def test_without_a_secret_nothing_is_approved(planned: Terminal, env: dict[str, str], said: str) -> None:
    """Exit code 2, and no file is written."""
    done = await planned.run("approve", PLAN, "--by", "Asha", "--yes", env=env)
    assert done.code == 2
    assert said in done.err
    assert not (planned.folder / FOUND).exists()


async def test_a_secret_comes_from_a_file_too(planned: Terminal, sandbox: Sandbox) -> None:
    """Without the line end that an editor leaves."""
    (planned.folder / "mine").write_text(ASHA + "\n")
    env = {"PAYPRO_APPROVAL_SECRET_FILE": "mine"}
    assert (await planned.run("approve", PLAN, "--by", "Asha", "--yes", env=env)).code == 0
    assert (await planned.run("apply", PLAN, "--require-approval")).code == 0


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("YES\n", 0), ("y\n", 3), ("\n", 3), ("^C", 130)])
async def test_an_approver_is_asked(planned: Terminal, typed: str, code: int) -> None:
    """On a terminal, with rows, sum and maker; elsewhere --yes says it."""
    planned.environment["PAYPRO_APPROVAL_SECRET"] = ASHA
    done = await planned.run_on_screen("approve", PLAN, "--by", "Asha", answers=[typed])
    assert "Approve 3 payouts, 303.00 INR, planned by " in " ".join(done.err.split())
    assert done.code == code
    assert (planned.folder / FOUND).exists() is (code == 0)
    if code:
        assert (await planned.run("approve", PLAN, "--by", "Asha")).code == 2


@pytest.mark.parametrize(("value", "required"), [("1", True), ("true", True), ("0", False), ("false", False)])
async def test_a_machine_may_require_it(planned: Terminal, sandbox: Sandbox, value: str, *, required: bool) -> None:
    """By PAYPRO_REQUIRE_APPROVAL; then a file alone is not paid, and may still be looked at."""
    planned.environment["PAYPRO_REQUIRE_APPROVAL"] = value
    shown = await planned.run("batch", "payouts.csv", "--dry-run")
    assert shown.code == 0, shown.err
    for words, code in ((["batch", "payouts.csv"], 2), (["apply", PLAN], 3)):
        done = await planned.run(*words)
        assert done.code == (code if required else 0), done.err
    assert len(sandbox.books.bookings) == (0 if required else 3)


@pytest.mark.parametrize("value", ["always", "", " "])
async def test_a_word_that_is_neither_yes_nor_no_is_refused(planned: Terminal, sandbox: Sandbox, value: str) -> None:
    """It must not be taken for a no; an empty one is what an unset variable of a unit file leaves."""
    done = await planned.run("apply", PLAN, env={"PAYPRO_REQUIRE_APPROVAL": value})
    assert done.code == 2
    assert not sandbox.books.bookings


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[" * 50_000, '{"plan": "x", "by": "y", "at": "never", "signature": "z"}']
)
def test_what_is_no_approval_is_refused(tmp_path: Path, text: str) -> None:
    """With the file's name."""
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"a\.json is no approval of a plan"):
        Approval.load(tmp_path / "a.json")


def test_an_approval_stands_for_all_that_a_plan_says(tmp_path: Path) -> None:
    """Any member that is otherwise makes it another plan."""
    plan = SAMPLE
    one = approve(plan, by="Bo", secret=BO, at=datetime.now(UTC))
    (tmp_path / "approvers").write_text(f"Bo: {BO}")
    approvers = read_approvers(tmp_path / "approvers")
    assert approved_by(plan, [one], approvers) is one
    changes: list[dict[str, Any]] = [{"path": Path("/b")}, {"balance": plan.amount}, {"doubts": {"X": 1}}, {"run": ""}]
    for change in changes:
        with pytest.raises(ApprovalMissingError, match="another plan"):
            approved_by(evolve(plan, **change), [one], approvers)
    with pytest.raises(ApprovalMissingError):
        approved_by(plan, [one], {"Bo": Secret(ASHA)})
