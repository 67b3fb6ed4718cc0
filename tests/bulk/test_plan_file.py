"""A plan on the disk: readable, without a secret, and refused when any of it is otherwise than it was reviewed."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paypro_async.bulk import PayoutFileError, PlanFile, PlannedRow

_ROW = PlannedRow(row=1, line=2, trade_no="T1", amount=Decimal("100.50"), name="A***", account="****8292")
PLAN = PlanFile(
    made_at=datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
    made_by="asha",
    path=Path("/data/wages november.csv"),
    kind="csv",
    content="ab" * 32,
    name="wages november.csv",
    run="2",
    columns={"Konto": "bank_number"},
    sheet="Löhne",
    merchant_no="0000000001",
    region="india",
    environment="sandbox",
    ledger="/data/payouts.db",
    rows=10,
    amount=Decimal("23200.50"),
    currency="INR",
    to_pay_rows=9,
    to_pay=Decimal("23100.00"),
    statuses={"not_sent": {"rows": "9", "amount": "23100.00"}, "succeeded": {"rows": "1", "amount": "100.50"}},
    balance=Decimal("1E+5"),
    first_trade_no="T1",
    last_trade_no="T10",
    first=(_ROW,),
    largest=(_ROW,),
    doubts={"NAME_UNLIKELY": 1},
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=3),
    max_leaves=5,
)


def code_of(path: Path) -> str:
    with pytest.raises(PayoutFileError) as caught:
        PlanFile.load(path)
    return caught.value.problems[0].code


def places(found: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to each value of a document."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [at, *(place for name, one in inner for place in places(one, (*at, name)))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    PLAN.save(tmp_path / "plan.json")
    return tmp_path / "plan.json"


def test_what_is_saved_is_loaded(path: Path) -> None:
    """Equal in each member, in type and value; and only its owner can read it."""
    assert PlanFile.load(path) == PLAN
    assert PlanFile.load(path).fingerprint == PLAN.fingerprint
    assert path.stat().st_mode & 0o077 == 0


def test_it_can_be_read(path: Path) -> None:
    """Letters stand as they are, one member to a line, sums without an exponent."""
    text = path.read_text(encoding="utf-8")
    assert '\n  "sheet": "Löhne",\n' in text
    assert '\n  "balance": "100000",\n' in text


def test_how_it_is_laid_out_is_no_change(path: Path) -> None:
    """Another order of the members, a byte order mark, and white space leave it what it is."""
    found = json.loads(path.read_text())
    path.write_text("\ufeff" + json.dumps(dict(reversed(found.items())), indent=7), encoding="utf-8")
    assert PlanFile.load(path) == PLAN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_of_any_member_is_refused(path: Path, data: st.DataObject) -> None:
    """Another value or type, a member more or less, wherever it stands, the seal and the format included."""
    found = json.loads(original := path.read_text(encoding="utf-8"))
    before = json.dumps(found)
    place = data.draw(st.sampled_from([one for one in places(found) if one]))
    holder = found
    for name in place[:-1]:
        holder = holder[name]
    match data.draw(st.sampled_from(["change", "take away", "add"])):
        case "change":
            holder[place[-1]] = data.draw(_JSON)
        case "take away":
            del holder[place[-1]]
        case "add" if isinstance(holder, dict):
            holder[data.draw(st.text())] = data.draw(_JSON)
        case "add":
            holder.append(data.draw(_JSON))
    if json.dumps(found) == before:
        return
    try:
        path.write_text(json.dumps(found), encoding="utf-8")
        assert code_of(path) in {"PLAN_EDITED", "NOT_A_PLAN", "PLAN_RELEASE"}
    finally:
        path.write_text(original, encoding="utf-8")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"paypro_plan": 1', '"paypro_plan": true'),
        ('"paypro_plan": 1', '"paypro_plan": 1.0'),
        ('"rows": 10', '"rows": 10.0'),
        ('"amount": "23200.50"', '"amount": 23200.50'),
        ('"amount": "23200.50"', '"amount": "23200.5"'),
        ('"amount": "23200.50"', '"amount": "  23_200.50"'),
        ('"made_at": "2026-11-28T09:30:00+00:00"', '"made_at": "2026-11-28T09:30:00.9+00:00"'),
        ('"made_at": "2026-11-28T09:30:00+00:00"', '"made_at": "2026-11-28 09:30:00+00:00"'),
        ('"path": "/data/wages', '"path": "/data/./wages'),
        ('"rows": 10', '"rows": 11, "rows": 10'),
    ],
)
def test_the_same_in_another_spelling_is_refused(path: Path, was: str, becomes: str) -> None:
    """A program would read the same, and a person perhaps not."""
    text = path.read_text(encoding="utf-8")
    assert text.count(was) == 1 or "amount" in was
    path.write_text(text.replace(was, becomes, 1), encoding="utf-8")
    assert code_of(path) in {"PLAN_EDITED", "PLAN_RELEASE", "NOT_A_PLAN"}


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b"amount,name\n1,x\n", b"\xff\xfe{}", b"[" * 100_000, b" " * 1_000_001, b"PK\3\4"],
    ids=["empty", "object", "list", "null", "csv", "utf-16", "deep", "large", "zip"],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, data: bytes) -> None:
    """With what to do instead."""
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(PayoutFileError, match=r"is no plan\. Payouts are paid with 'paypro batch'"):
        PlanFile.load(tmp_path / "x")


def test_a_file_whose_name_is_no_text_can_be_planned(tmp_path: Path) -> None:
    """Any bytes may name a file."""
    plan = evolve(PLAN, path=Path(os.fsdecode(b"/data/l\xf6hne.csv")))
    plan.save(tmp_path / "plan.json")
    assert PlanFile.load(tmp_path / "plan.json") == plan


def test_nothing_is_replaced_unless_that_is_said(path: Path) -> None:
    """A plan that was reviewed stays."""
    with pytest.raises(FileExistsError):
        PLAN.save(path)
    evolve(PLAN, rows=11).save(path, replace=True)
    assert PlanFile.load(path).rows == 11


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"content": "cd" * 32}, "FILE_NOT_AS_PLANNED", "another content than what was planned, though its sum"),
        ({"rows": 11}, "FILE_NOT_AS_PLANNED", "holds 11 payouts over 23,200.50 INR, and 10 over"),
        ({"amount": Decimal("123200.50")}, "FILE_NOT_AS_PLANNED", "1,23,200.50 INR"),
        ({"ledger": "/other.db"}, "ELSEWHERE_THAN_PLANNED", "for the ledger /data/payouts.db, and this is /other.db"),
        ({"merchant_no": "2"}, "ELSEWHERE_THAN_PLANNED", "the merchant 0000000001, and this is 2"),
        ({"region": "x"}, "ELSEWHERE_THAN_PLANNED", "the region india"),
        ({"environment": "live"}, "ELSEWHERE_THAN_PLANNED", "the environment sandbox"),
    ],
)
def test_what_is_otherwise_than_planned_is_named(change: dict[str, Any], code: str, said: str) -> None:
    """File and place; what the ledger has learned since, and what the balance is, are no difference."""
    found = PLAN.differences(evolve(PLAN, **change))
    assert [one.code for one in found] == [code]
    assert said in found[0].message
    assert not PLAN.differences(evolve(PLAN, to_pay=Decimal(0), to_pay_rows=0, balance=None, statuses={}))
