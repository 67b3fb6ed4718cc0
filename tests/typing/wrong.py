"""Slips that mypy and pyright must find: each line that ends in ``# wrong`` has an error, and no other line has.

Nothing here is run; ``check.py`` has it checked.
"""

from paypro_async import Md5Signer, Payout, PayProClient, bulk

signer = Md5Signer("secret")


async def single(client: PayProClient, payout: Payout) -> None:
    await client.payout(amont="300")  # wrong
    await client.payout(42)  # wrong
    await client.payout("T1")  # wrong
    await client.payout(amount="300", name="A")  # wrong
    await client.payout(amount=3.5, name="A", mobile="8", email="a", bank_number="1", bank_code="I")  # wrong
    await client.payout(amount="3", name=7, mobile="8", email="a", bank_number="1", bank_code="I")  # wrong
    await client.payout(amount="3", nmae="A", mobile="8", email="a", bank_number="1", bank_code="I")  # wrong
    await client.payout(payout, tiemout=5)  # wrong
    await client.payout(payout, amount="300")  # wrong
    await client.query(7)  # wrong
    print((await client.payout(payout)).staus)  # wrong


async def many(client: PayProClient, payout: Payout) -> None:
    await client.batch_payout(42)  # wrong
    await client.batch_payout(["T1"])  # wrong
    await client.batch_payout([payout], concurency=5)  # wrong
    await client.batch_payout([payout], rate="5")  # wrong
    print((await client.batch_payout([payout])).cuonts)  # wrong


def settings() -> None:
    PayProClient.from_env(leger="x")  # wrong
    PayProClient.from_env(timeout="5")  # wrong
    PayProClient.from_env(transport="htpx")  # wrong
    PayProClient(base_url="https://x.example", merchant_no="1", signer=signer, transport="htpx")  # wrong
    PayProClient(base_url="https://x.example", merchant_no="1", signer=signer, region="indai")  # wrong
    PayProClient(base_url="https://x.example", merchant_no="1", signer=signer, resend="always")  # wrong
    PayProClient(base_url="https://x.example", merchant_no=1, signer=signer)  # wrong
    PayProClient(base_url="https://x.example", merchant_no="1", signer="secret")  # wrong
    PayProClient(base_url="https://x.example", merchant_no="1", signer=signer, ledger=7)  # wrong
    PayProClient(transport="httpx")  # wrong
    Payout(amount="3", nmae="A", mobile="8", email="a", bank_number="1", bank_code="I")  # wrong


async def files(client: PayProClient) -> None:
    await bulk.plan(client, b"amount,name")  # wrong
    await bulk.plan(client, "p.csv", runn="2")  # wrong
    await bulk.pay(client, "p.csv", limits={"max_total": 5})  # wrong
    await bulk.pay(client, "p.csv", concurency=5)  # wrong
    await bulk.pay(client, "p.csv", approvers={"Bo": 5})  # wrong
    print(bulk.check(client, "p.csv").dobuts)  # wrong
