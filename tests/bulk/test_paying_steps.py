"""What :func:`bulk.pay` looks at before it pays, and what it tells if something goes wrong afterwards."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from fastapi import FastAPI, UploadFile
from httpx import ASGITransport, AsyncClient

from paypro_async import ConfigurationError, PayProClient
from paypro_async.bulk import (
    Approval,
    ApprovalMissingError,
    FileReport,
    NotReportedError,
    PlanFile,
    approve,
    check,
    pay,
    plan,
    read,
)
from paypro_async.sandbox import Sandbox
from tests.support.payout_files import HEADER, csv_text, rows

SECRET = "bo-has-characters-of-his-own-only"


@pytest.mark.parametrize("name", ["p.csv", "alias.csv", "payouts.db", "none/x.csv", ".", "foreign.txt", "a\0b.csv"])
async def test_a_result_that_cannot_be_written_is_refused_before_anything_is_sent(
    client: PayProClient, sandbox: Sandbox, path: Path, tmp_path: Path, name: str
) -> None:
    """Over the input, the ledger, a folder or another's file, or where no file can be."""
    (tmp_path / "alias.csv").symlink_to(path)
    (tmp_path / "foreign.txt").write_text("mine")
    for source in (path, await plan(client, path)):
        with pytest.raises(ConfigurationError, match="Nothing was sent"):
            await pay(client, source, result=tmp_path / name)
    assert not sandbox.books.orders
    assert (tmp_path / "foreign.txt").read_text() == "mine"


@pytest.mark.parametrize("target", [io.BytesIO(), 7, io.TextIOWrapper(io.BufferedReader(io.BytesIO()))])
async def test_a_result_is_text(client: PayProClient, sandbox: Sandbox, path: Path, target: Any) -> None:
    """What takes no text is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        await pay(client, path, result=target)
    assert not sandbox.books.orders


async def test_a_file_of_others_is_replaced_only_if_that_is_said(
    client: PayProClient, path: Path, tmp_path: Path
) -> None:
    """The result of the same file is replaced without a word."""
    (mine := tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    await pay(client, path, result=mine, replace_result=True)
    await pay(client, path, result=mine)
    assert "paypro_status" in mine.read_text()
    (beside := tmp_path / "p.result.csv").write_text(mine.read_text())
    path.write_text(csv_text(rows(3, first=7)))  # noqa: ASYNC240  a small file of a test
    await pay(client, path, result=beside)
    with pytest.raises(ConfigurationError, match="not the result of this file"):
        await pay(client, path, result=mine)


async def test_a_result_that_fails_afterwards_says_that_the_file_was_paid(
    client: PayProClient, sandbox: Sandbox, path: Path
) -> None:
    """The error has the report."""

    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            if text:
                raise OSError(28, "No space left on device")
            return 0

    with pytest.raises(NotReportedError, match=r"The file was paid: .*Sent now: 3\..*No space left") as caught:
        await pay(client, path, result=Full())
    assert caught.value.money_may_have_moved
    assert caught.value.report is not None
    assert caught.value.report.total == caught.value.batch.sent == len(sandbox.books.orders) == 3


async def test_an_upload_is_read_as_a_file_is(client: PayProClient, sandbox: Sandbox) -> None:
    """With columns, a name for the ledger, and a run; checked first and paid from the same object."""
    data = io.BytesIO(csv_text(rows(2), header=HEADER.replace("bank_number", "Konto")).encode())
    with read(data, columns={"Konto": "bank_number"}, region="india"):
        pass
    reading: Any = {"columns": {"Konto": "bank_number"}, "name": "wages.csv", "run": "2"}
    assert check(client, data, **reading).rows == 2
    assert (await pay(client, data, **reading)).total == 2
    assert len(sandbox.books.orders) == 2


async def test_a_plan_says_itself_how_it_is_read(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """And nothing else can be said."""
    with pytest.raises(ConfigurationError, match="run cannot be said again"):
        await pay(client, await plan(client, path), run="2")
    assert not sandbox.books.orders


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        (io.StringIO("amount"), "'rb'"),
        (b"amount", "io.BytesIO"),
        (bytearray(b"amount"), "io.BytesIO"),
        (7, "its path"),
        (None, "its path"),
        (UploadFile(io.BytesIO(b"amount")), "upload.file"),
    ],
)
@pytest.mark.filterwarnings("error")
async def test_what_is_no_file_is_refused_with_the_mend(client: PayProClient, source: Any, mend: str) -> None:
    """By each step."""
    for step in (lambda: read(source), lambda: check(client, source)):
        with pytest.raises(ConfigurationError, match=mend):
            step()
    with pytest.raises(ConfigurationError, match=mend):
        await pay(client, source)


async def test_approvals_that_nothing_checks_are_refused(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """Whoever gives them thinks that they count."""
    planned = await plan(client, path, by="asha")
    forged = Approval(plan=planned.fingerprint, by="Bo", at=datetime.now(UTC), signature="00")
    for source in (path, planned):
        with pytest.raises(ConfigurationError, match="give approvers="):
            await pay(client, source, approvals=[forged])
    with pytest.raises(ConfigurationError, match="shorter than 16"):
        await pay(client, planned, approvals=[forged], approvers={"Bo": ""})
    with pytest.raises(ConfigurationError, match="has a zone"):
        approve(planned, by="Bo", secret=SECRET, at=datetime.now())  # noqa: DTZ005  what is refused
    assert not sandbox.books.orders


async def test_the_ledger_keeps_an_approval(client: PayProClient, sandbox: Sandbox, path: Path) -> None:
    """So that the same plan is paid again without it; a secret may be text."""
    planned = await plan(client, path, by="asha")
    one = approve(planned, by="Bo", secret=SECRET, at=datetime.now(UTC))
    with pytest.raises(ApprovalMissingError):
        await pay(client, planned, approvers={"Bo": SECRET})
    await pay(client, planned, approvals=[one], approvers={"Bo": SECRET})
    await pay(client, planned, approvers={"Bo": SECRET})
    with pytest.raises(ApprovalMissingError):
        await pay(client, evolve(planned, made_by="eve"), approvers={"Bo": SECRET})
    assert len(sandbox.books.orders) == 3


async def test_plans_and_approvals_are_saved_by_the_name_of_a_file(
    client: PayProClient, path: Path, tmp_path: Path
) -> None:
    """As text or as a path."""
    planned = await plan(client, str(path), by="asha")
    planned.save(str(tmp_path / "plan.json"))
    assert PlanFile.load(str(tmp_path / "plan.json")) == planned
    one = approve(planned, by="Bo", secret=SECRET, at=datetime.now(UTC))
    one.save(str(tmp_path / "approval.json"))
    assert Approval.load(str(tmp_path / "approval.json")) == one


async def test_a_report_of_a_file_is_plain_data_as_that_of_a_batch_is(client: PayProClient, path: Path) -> None:
    """For JSON, for FastAPI, and with what was left out apart."""
    app = FastAPI()

    @app.post("/payments")
    async def payments() -> FileReport:
        return await pay(client, path)

    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as web:
        told = (await web.post("/payments")).json()
        schema = (await web.get("/openapi.json")).json()["components"]["schemas"]["FileReport"]
    path.write_text(csv_text(rows(4)))  # noqa: ASYNC240  a small file of a test
    later = (await pay(client, path, skip_paid=True)).to_dict()

    assert told == {
        "counts": {"processing": 3},
        "amounts": {"processing": "303"},
        "codes": {},
        "reasons": {},
        "left_out": {"counts": {}, "amounts": {}},
        "total": 3,
    }
    assert set(schema["properties"]) == set(schema["required"]) == set(told) == set(later)
    assert (later["counts"], later["left_out"]["counts"]) == ({"processing": 1}, {"processing": 3})
    assert json.loads(json.dumps(later)) == later
