"""Tills, staff and customers of the ledger in a running system, seen from outside."""

from typing import Any

import httpx

from shared.contracts.topics import PURCHASES
from tests.faults.waiting import until
from tests.system.people import Json, People


class Tills:
    """What they do, with the clients of one system."""

    def __init__(self, people: People) -> None:
        self.people = people

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A request to the ledger; by a till where `scope` does not say otherwise."""
        given: dict[str, Any] = {"scope": "pos", "service": "ledger", **more}
        return await self.people.call(method, path, body, **given)

    async def buys(self, customer: str, purchase: str, at: str, minor: int, **more: Any) -> Json:
        """A purchase on the topic of tills: the record."""
        record = sale(customer, purchase, at, minor, **more)
        await self.people.send(PURCHASES, customer, record)
        return record

    async def returns(self, customer: str, purchase: str, at: str, minor: int) -> None:
        """A return of a part of that purchase."""
        record = {
            "type": "PurchaseReturned.v1", "return_id": f"{purchase}-back", "store_id": "s-1", "purchase_id": purchase,
            "customer_id": customer, "occurred_at": at, "currency": "EUR", "amount_minor": minor,
        }  # fmt: skip
        await self.people.send(PURCHASES, customer, record)

    async def gives(self, customer: str, points: int) -> None:
        """Staff give points, which are available at once."""
        given = await self.call("POST", f"/customers/{customer}/adjustments", adjustment(points), scope="staff")
        assert given.status_code == 200, given.text

    async def holds(self, customer: str, points: int, key: str | None = None, **more: Any) -> httpx.Response:
        """A till asks for points; `key`: of idempotency."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call(
            "POST", f"/customers/{customer}/redemptions", {"points": points, **more}, headers=headers
        )

    async def held(self, customer: str, points: int, **more: Any) -> str:
        """The redemption of points that are held now."""
        answer = await self.holds(customer, points, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()["redemption_id"]

    async def captures(self, redemption: str, points: int | None = None) -> httpx.Response:
        """A till takes what is held."""
        return await self.call("POST", f"/redemptions/{redemption}/capture", {"points": points} if points else None)

    async def releases(self, redemption: str) -> httpx.Response:
        """A till lets go."""
        return await self.call("DELETE", f"/redemptions/{redemption}")

    async def balance(self, customer: str) -> Json:
        """As staff see it."""
        return (await self.call("GET", f"/customers/{customer}/balance", scope="staff")).json()

    async def has(self, customer: str, **points: int) -> Json:
        """The balance, as soon as it is this."""
        found: Json = {}

        async def there() -> bool:
            nonlocal found
            found = await self.balance(customer)
            return {name: found[name] for name in points} == points

        try:
            await until(there, "", 30)
        except AssertionError:
            raise AssertionError(f"{customer} has {found}, not {points}") from None
        return found

    async def benefit(self, customer: str, name: str, status: str, **expected: Any) -> Json:
        """The benefit of a customer, as soon as it stands so."""
        wanted = {"benefit": name, "status": status, **expected}
        found: list[Json] = []

        async def there() -> bool:
            nonlocal found
            listed = (await self.call("GET", f"/customers/{customer}/benefits", scope="staff")).json()["items"]
            found = [each for each in listed if {key: each[key] for key in wanted} == wanted]
            return bool(found)

        await until(there, f"{name} of {customer} to be {status}", 30)
        return found[0]

    async def uses(self, customer: str, benefit: str, **body: Any) -> httpx.Response:
        """A till uses a benefit of a customer."""
        return await self.call("POST", f"/customers/{customer}/benefits/{benefit}/use", body)

    async def entries(self, customer: str, limit: int = 50) -> list[list[Json]]:
        """All pages of the customer's entries, as the customer reads them."""
        pages: list[list[Json]] = []
        cursor = ""
        while True:
            path = f"/customers/{customer}/entries?limit={limit}{cursor}"
            page = (await self.call("GET", path, scope="customer", customer=customer)).json()
            pages.append(page["items"])
            if page["next"] is None:
                return pages
            cursor = f"&cursor={page['next']}"


def sale(customer: str, purchase: str, at: str, minor: int, **more: Any) -> Json:
    """The record of a purchase."""
    return {
        "type": "PurchaseCompleted.v1", "purchase_id": purchase, "store_id": "s-1", "customer_id": customer,
        "occurred_at": at, "currency": "EUR", "total_minor": minor, **more,
    }  # fmt: skip


def adjustment(points: int) -> Json:
    """The body of an adjustment."""
    return {"points": points, "reason": "goodwill"}
