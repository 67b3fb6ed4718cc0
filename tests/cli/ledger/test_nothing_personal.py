"""A debug run with everything on: what it logs, exports, reports and stores holds no personal value and no secret."""

from pathlib import Path

from paypro_async import Md5Signer, PayProError
from paypro_async.ledger.sql.encryption.keys import new_key
from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.commands import Commands
from tests.support.merchant import PERSONAL, QUICK, client_of, fields, payouts
from tests.support.secrecy import everything_logged, shown_by, spellings
from tests.support.telemetry import Telemetry

SECRET, KEY = "kept-to-itself-4711", new_key()
NOWHERE = [*PERSONAL, *spellings(SECRET), *spellings(KEY)]


async def test_a_debug_run_with_encryption_and_telemetry(path: Path, ledger_command: Commands, monkeypatch) -> None:
    """Faults, an unknown outcome, a wrong field, a callback that is forged, a reconciliation, and a look at it all."""
    telemetry, told = Telemetry(), list[str]()
    with everything_logged() as log:
        async with (
            Sandbox(secret=SECRET, faults=FaultPlan(rate=0.4, seed=9)) as sandbox,
            client_of(
                sandbox,
                signer=Md5Signer(SECRET),
                ledger=f"sqlite:///{path}",
                ledger_key=KEY,
                environment="secrecy",
                runtime=None,
                hooks=[telemetry.hook()],
                **QUICK,
            ) as client,
        ):
            report = await client.batch_payout(payouts(25), timeout=4.0)
            for wrong in (fields("T900", bank_code="wrong"), fields("T1", amount="301")):
                try:
                    await client.payout(wrong)
                except PayProError as error:
                    told.append(shown_by(error))
            await client.receive_callback(b'{"tradeNo": "T1", "sign": "x"}')
            await client.reconcile()
            told += [repr(report), str(report), report.to_html(), report.to_csv()] if hasattr(report, "to_csv") else []
            told.append(repr(client))
    monkeypatch.setenv("PAYPRO_LEDGER_KEY", KEY)
    for words in (("show",), ("show", "T1"), ("history", "T1"), ("check",), ("export", "-"), ("encrypt", "--keys")):
        done = await ledger_command(*words, "--ledger", str(path))
        told += [done.out, done.err]
    told += [log.getvalue(), telemetry.everything()]
    told += [one.read_bytes().decode("latin-1") for one in path.parent.glob(f"{path.name}*")]
    text = "\n".join(told)
    assert "T24" in text
    assert len(told) > 15
    assert sorted({value for value in NOWHERE if value in text}) == []
