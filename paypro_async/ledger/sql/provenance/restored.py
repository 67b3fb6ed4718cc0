"""A ledger that is older than what was last written to it has forgotten payouts. It must notice, and ask first.

A backup that is put back knows nothing of what was paid since. Its unsent payouts may be out, and a number that it does
not hold may be paid. So, once it is noticed, every open entry becomes "unknown" anew, and from then on a new claim is
one of an attempt that may have been made: the platform is asked, and "no such order" is believed only after the settle
window. A person ends that, when nothing that was forgotten can come back.
"""

import warnings

from attrs import define, field
from sqlalchemy import BigInteger, Connection, String, bindparam, case, insert, literal, literal_column, null, select

from paypro_async._core.lifecycle import Cause, Reply, State
from paypro_async.errors import PayProWarning
from paypro_async.ledger.sql.rows import announced
from paypro_async.ledger.sql.schema import IS_OPEN, clock, event, meta, payout
from paypro_async.ledger.sql.statements import Statement
from paypro_async.log import logger

__all__ = ["Restored"]


_KEY = "forgetful_since"  # what stands in ledgers since their first release
_LAST = select(event.c.id).where(event.c.id == bindparam("last", type_=BigInteger))
_GLANCE = Statement.everywhere(
    select(
        select(meta.c.value).where(meta.c.key == literal_column(f"'{_KEY}'")).scalar_subquery().label("noted"),
        _LAST.scalar_subquery().label("last"),
        clock(),
    )
)


@define(eq=False)
class Restored:
    """What one process knows of whether its ledger was restored from a backup.

    Args:
        name: The ledger's, for people.
        suspicion: Why the ledger looks like a restored backup, where it is only read and nothing is noted.
        last_event: The number of the last step of history that this process wrote or saw; 0 for none.
    """

    name: str
    suspicion: str | None = None
    last_event: int = 0
    _noted: str | None = field(default=None, init=False)
    _to_tell: str | None = field(default=None, init=False)

    @property
    def since(self) -> float | None:
        """Since when the ledger is known to be restored, in seconds since 1970 on its own clock; None if it is not."""
        return float(self._noted) if self._noted else None

    def read(self, connection: Connection) -> None:
        """Learn whether the ledger is known to be a restored backup."""
        self._noted = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar()

    def has_lost(self, connection: Connection) -> bool:
        """Whether the last step that this process wrote or saw is not there any more."""
        return not self.agrees(self._noted, connection.execute(_LAST, {"last": self.last_event}).scalar())

    def glance(self, connection: Connection) -> float | None:
        """The database's clock; None if something was lost, or another process has found that, or ended it."""
        noted, last, now = _GLANCE.first(connection, last=self.last_event)
        return now if self.agrees(noted, last) else None

    def agrees(self, noted: str | None, last_event: int | None) -> bool:
        """The same, of what was read."""
        return noted == self._noted and (last_event or 0) == self.last_event

    def mark(self, connection: Connection, why: str) -> None:
        """From now on ask first. Everything that is open may have been sent since the backup was made."""
        now: float = connection.execute(select(clock())).scalar_one()
        _, boot, sent_steady = announced("", shared=connection.dialect.name != "sqlite")
        reopened = payout.c.state.in_([State.NEW.value, State.SENDING.value]) & IS_OPEN
        connection.execute(
            insert(event).from_select(
                ["merchant_no", "trade_no", "at", "from_state", "to_state", "cause", "attempt", "note"],
                select(
                    payout.c.merchant_no,
                    payout.c.trade_no,
                    literal(now),
                    payout.c.state,
                    literal(State.SENDING.value, String),
                    literal(Cause.RESTORE.value, String),
                    payout.c.attempt,
                    null(),
                ).where(reopened),
            )
        )
        connection.execute(
            payout.update()
            .where(reopened)
            .values(
                state=State.SENDING.value,
                doubt=True,
                # The attempt that was refused for the caller's sake was perhaps not the last one.
                reply=case((payout.c.reply != Reply.CALLER.value, payout.c.reply)),
                sent_at=now,
                sent_boot=boot,
                sent_steady=sent_steady,
                updated_at=now,
            )
        )
        connection.execute(meta.delete().where(meta.c.key == _KEY))
        connection.execute(meta.insert().values(key=_KEY, value=repr(now)))
        self._noted, self.last_event, self._to_tell = repr(now), 0, why

    def end(self, connection: Connection) -> None:
        """A person says that nothing that was forgotten can come back."""
        connection.execute(meta.delete().where(meta.c.key == _KEY))
        self._noted = None

    def tell(self, *, warn: bool = True) -> None:
        """Say what was noticed, once, where a person will see it.

        Args:
            warn: Whether there is a caller to be warned, beside the log.
        """
        why, self._to_tell = self._to_tell, None
        if why is None:
            return
        text = (
            f"The ledger {self.name} looks like a restored backup: {why}. What was paid since is forgotten, so nothing "
            "is sent before the platform was asked. Run reconcile; when no payout from before can come again, end this "
            "with 'paypro ledger restored --end'."
        )
        logger.warning("%s", text)
        if warn:
            warnings.warn(text, PayProWarning, stacklevel=2)
