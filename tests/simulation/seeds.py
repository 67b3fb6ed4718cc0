"""Worlds in which a defect is found, so that every change is tested with each defect without a long search.

A change of the product or of the worlds makes another world of a seed. A record that finds nothing any more costs a
search and no finding: ``python -m tests.simulation --mutation '...'`` says the new seed.
"""

FOUND_AT: dict[str, int] = {
    "a belief takes back a newer attempt": 487,
    "a cancelled call says that nothing was sent": 138,
    "a duplicate is a refusal": 52,
    "a late word of an old attempt counts for the new one": 251,
    "a new attempt is as old as the one before": 27,
    "a refusal in doubt is final": 505,
    "a reply about another order is believed": 29,
    "a server error over a refusal is a refusal": 49,
    "a system error is a refusal": 67,
    "another amount is the same payout": 307,
    "calls that join are not compared": 133,
    "one absence is enough to reconcile": 247,
    "reconciling does not wait for the settle window": 45,
    "resend='never' sends again": 119,
    "that an attempt is in doubt is forgotten": 505,
    "the age of an attempt follows the process's wall clock": 59,
    "the send deadline is not handed on": 27,
    "who loses the announcement sends anyway": 74,
}
"""Those that the first few worlds do not find."""
