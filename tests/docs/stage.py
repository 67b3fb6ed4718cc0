"""What a reader has before the first command of a page; the commands that are not run here, each with its reason."""

from dataclasses import dataclass, field

from tests.docs.pages import ROOT

# As it stands on pages, and what it stands for.
SALARY = "salary-2026-11-0017"
POSTGRESQL = "postgresql://paypro@db.example/payouts"
WORDS = {"TRADE_NO": SALARY}

_ROWS = "amount,name,mobile,email,bank_number,bank_code,trade_no"
_ROW = "300,Asha Rao,8234567890,asha@example.com,10094038292,IDFB0043121"
_PAY_SALARY = f"printf '{_ROWS}\\n{_ROW},{SALARY}\\n' > one.csv && paypro batch one.csv --yes"

_PARK_SALARY = f"PYTHONPATH={ROOT} python -m tests.docs.parked payouts.db {SALARY}"
_AS_WORKBOOK = """
import csv, sys, xlsxwriter
with xlsxwriter.Workbook(sys.argv[2]) as book:
    sheet = book.add_worksheet()
    for number, row in enumerate(csv.reader(open(sys.argv[1]))):
        sheet.write_row(number, 0, row)
"""


@dataclass(frozen=True)
class Given:
    """What a page takes as given.

    Attributes:
        commands: What the reader has done before, in order.
        paid_after: Seconds after which the sandbox of the page pays.
    """

    commands: tuple[str, ...] = field(default=())
    paid_after: float = 0.0


GIVEN = {
    "docs/after.md": Given((_PAY_SALARY, "cp examples/payouts.csv nov.csv", "paypro batch nov.csv --yes")),
    "docs/changes.md": Given((_PARK_SALARY, f"{_PARK_SALARY}-2")),
    "docs/ledger.md": Given((_PAY_SALARY,), paid_after=3600),
    "docs/plan.md": Given(
        (
            "cp examples/payouts.csv wages.csv",
            "printf 'a secret that two people know, for approvals' > approval && chmod 600 approval",
            "export PAYPRO_APPROVAL_SECRET_FILE=approval",
        )
    ),
    "docs/reconcile.md": Given((_PAY_SALARY,)),
    "docs/report.md": Given(("cp examples/payouts.csv salaries.csv", "paypro batch salaries.csv --yes --wait")),
    "docs/unknown.md": Given((_PAY_SALARY,)),
    "docs/waiting.md": Given(("cp examples/payouts.csv payouts.csv",)),
    "docs/workers.md": Given((f'python -c "{_AS_WORKBOOK}" examples/payouts.csv salaries.xlsx',)),
}

# How a command begins that asks, and what the reader answers: the sum, as typed.
ANSWERS = {
    "docs/plan.md": {"paypro approve": "yes", "paypro apply": "23200"},
    "docs/waiting.md": {"paypro batch": "23200"},
    "docs/workers.md": {"paypro batch": "23200"},
}

# How a command of a page begins, and why it is not run. One that no page has any more is an error.
NOT_RUN = {
    "docs/ledger.md": {
        "pg_dump": "the ledger of the page is a file; tests/ledger has copies of databases that are put back",
    },
    "docs/runbook.md": {
        "": "test_runbook.py beside this, and the one in tests/many, make each fault and type the page's commands",
    },
}
