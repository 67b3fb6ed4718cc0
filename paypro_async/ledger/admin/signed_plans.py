"""Who approved which plan of a file, kept where the payouts are."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection, select

from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.schema import approval, clock

__all__ = ["StoredApproval", "approvals_of", "store_approval"]


@frozen(kw_only=True)
class StoredApproval:
    """An approval as the ledger holds it.

    Args:
        plan: The digest of the plan, in hexadecimal.
        batch_id: The batch that the plan's file is.
        person: Who approved it; *at*, when, with a zone.
        signature: In hexadecimal. The ledger does not look at it.
    """

    plan: str
    batch_id: str
    person: str
    at: datetime
    signature: str


async def store_approval(ledger: SqlLedger, merchant_no: str, one: StoredApproval) -> None:
    """Store it; that of the same person for the same plan is replaced.

    Raises:
        LedgerUnavailableError: If it cannot be stored.
    """

    def write(connection: Connection) -> None:
        mine = approval.c.merchant_no == merchant_no, approval.c.plan == one.plan, approval.c.person == one.person
        connection.execute(approval.delete().where(*mine))
        values = {
            "merchant_no": merchant_no,
            "plan": one.plan,
            "batch_id": one.batch_id,
            "person": one.person,
            "approved_at": one.at.isoformat(timespec="seconds"),
            "signature": one.signature,
        }
        connection.execute(approval.insert().values(**values, stored_at=clock()))

    await ledger.write(write)


async def approvals_of(ledger: SqlLedger, merchant_no: str, batch_id: str) -> list[StoredApproval]:
    """Those of every plan of a batch, in the order in which they were stored.

    Raises:
        LedgerUnavailableError: If it cannot be read.
    """
    query = select(approval).where(approval.c.merchant_no == merchant_no, approval.c.batch_id == batch_id)

    def read(connection: Connection) -> list[StoredApproval]:
        return [
            StoredApproval(
                plan=row.plan,
                batch_id=row.batch_id,
                person=row.person,
                at=datetime.fromisoformat(row.approved_at),
                signature=row.signature,
            )
            for row in connection.execute(query.order_by(approval.c.stored_at))
        ]

    return await ledger.read(read)
