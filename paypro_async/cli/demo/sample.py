"""A file of invented payouts for the demonstration."""

import csv
import random
from pathlib import Path

__all__ = ["write_sample"]

# fmt: off
_FIRST = (
    "Aarav", "Aditi", "Ananya", "Arjun", "Asha", "Bhavna", "Chitra", "Deepak", "Devika", "Farah", "Gauri",
    "Harish", "Imran", "Isha", "Jaya", "Kabir", "Kavya", "Kiran", "Lakshmi", "Manoj", "Meera", "Mohan", "Naina",
    "Nikhil", "Pooja", "Pranav", "Rahul", "Ravi", "Rekha", "Rohan", "Sana", "Sanjay", "Shreya", "Sunita", "Tara",
    "Uma", "Varun", "Vikram", "Yash", "Zoya",
)
_LAST = (
    "Agarwal", "Banerjee", "Bhat", "Chauhan", "Das", "Deshmukh", "Fernandes", "Gill", "Iyer", "Jain", "Joshi",
    "Kapoor", "Khan", "Kulkarni", "Menon", "Mehta", "Nair", "Patel", "Pillai", "Rao", "Reddy", "Saxena", "Sen",
    "Shah", "Sharma", "Singh", "Thomas", "Varma", "Verma", "Yadav",
)
# fmt: on
_WHAT = ("salary", "refund", "commission", "reimbursement", "prize")


def write_sample(path: Path, *, rows: int, seed: int) -> None:
    """Write a CSV file of *rows* payouts without trade numbers; equal seeds give equal files.

    The people are invented, their mail goes to a reserved domain, and their bank does not exist.
    """
    dice = random.Random(seed)  # noqa: S311  a sample must be repeatable, not secret
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["amount", "name", "mobile", "email", "bank_number", "bank_code", "remark"])
        for number in range(1, rows + 1):
            first, last = dice.choice(_FIRST), dice.choice(_LAST)
            writer.writerow(
                [
                    dice.randint(1, 500) * 10,
                    f"{first} {last}",
                    f"{dice.choice('6789')}{dice.randrange(10**9):09d}",
                    f"{first}.{last}{number}@example.com".lower(),
                    f"{dice.randrange(10**14):014d}",
                    f"DEMO0{dice.randrange(10**6):06d}",
                    f"{dice.choice(_WHAT)} {number}",
                ]
            )
