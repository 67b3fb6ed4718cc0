"""A seeded share of the trial that ``python -m tests.hostile`` makes at full scale."""

import pytest

from paypro_async._core.outcome import Verdict
from paypro_async.transport import TRANSPORTS
from tests.hostile.reading import supports
from tests.hostile.replies import hostile_replies
from tests.hostile.trial import Findings, pay_all, read_all
from tests.support.raw_replies import FAILED, PAID, REFUSED, REPLIES, sized


def check(findings: Findings, count: int) -> None:
    assert findings.wrong == []
    assert findings.verdicts.total() == count
    assert len(findings.verdicts) > 1  # else it is no variety
    assert findings.grown < 100_000_000


async def test_transports_read_hostile_replies_alike_and_never_as_more_than_they_say():
    """No exception, no hang, one verdict, and none about the money that another parser does not see."""
    check(await read_all(list(hostile_replies(1, 100)), TRANSPORTS, seed=1), 300)


@pytest.mark.parametrize("name", ["httpx", "aiohttp"])
async def test_a_client_never_makes_more_of_a_hostile_reply_than_it_says(name: str):
    """Whatever every request of a payout is answered with."""
    check(await pay_all(list(hostile_replies(2, 15)), name, seed=2), 15)


@pytest.mark.trial
async def test_more_of_the_same():
    """As many as a few seconds allow."""
    check(await read_all(list(hostile_replies(3, 500)), TRANSPORTS, seed=3), 1_500)


def test_the_second_reading_can_say_no():
    """It agrees with the contract, and takes no reply for what it does not say."""
    assert [name for name, raw in REPLIES.items() if not supports(raw.data, raw.verdict)] == []
    assert not supports(sized(FAILED), Verdict.PAID)
    assert not supports(sized(REFUSED), Verdict.FAILED)
    assert not supports(sized(PAID)[:-1], Verdict.PAID)
    assert not supports(sized(PAID), Verdict.FAILED)
