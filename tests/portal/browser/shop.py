"""The world around the portal: a CRM, tills, and customers with browsers."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, BrowserContext, Page, expect
from pymongo import AsyncMongoClient

from deploy.cli.kafka import started
from deploy.local import tokens
from deploy.local.system import System
from services.portal.views import ACCOUNTS, account_of
from shared.contracts.partition import partition_of
from shared.contracts.topics import CUSTOMERS, PURCHASES
from tests.faults.waiting import until
from tests.portal.browser.window import PHONE, Window, context_of

PARTITIONS: Final = 12


class Customer(Window):
    """A customer with a browser window."""

    def __init__(self, customer_id: str, shop: "Shop", context: BrowserContext, page: Page) -> None:
        super().__init__(shop.url, context, page)
        self.customer_id, self.shop = customer_id, shop

    async def sign_in(self) -> None:
        """Open a sign-in link."""
        await self.page.goto(tokens.sign_in_link(self.shop.key, self.shop.url, self.customer_id))
        await expect(self.page).to_have_url(f"{self.shop.url}/my-bonus")


class Shop:
    """A running system, and what is sent to it."""

    def __init__(self, system: System, producer: AIOKafkaProducer, http: httpx.AsyncClient) -> None:
        self.system, self._producer, self._http = system, producer, http
        self.url = system.services["portal"].url
        self.key = system.stack.keys.signing_key

    @staticmethod
    @asynccontextmanager
    async def open(system: System) -> AsyncGenerator["Shop"]:
        """A shop for the length of an `async with`."""
        producer = AIOKafkaProducer(**system.stack.kafka_options())
        async with started(producer), httpx.AsyncClient(timeout=30) as http:
            yield Shop(system, producer, http)

    async def customer(
        self, browser: Browser, locale: str = "en", size: tuple[int, int] = PHONE, **window: Any
    ) -> Customer:
        """Somebody whom the CRM has enrolled with an e-mail address, and whose account is there."""
        customer_id = await self.enrolled(locale)
        context = await context_of(browser, size, **window)
        return Customer(customer_id, self, context, await context.new_page())

    async def enrolled(self, locale: str = "en") -> str:
        """The id of somebody new, of whom the CRM tells; once the portal has heard of it, and of the welcome points."""
        customer_id = f"c-{secrets.token_hex(6)}"
        record = {
            "type": "CustomerUpserted.v1",
            "fields": {"email": "anna@example.org"},
            "name": "Anna",
            "locale": locale,
            "time_zone": "Europe/Berlin",
            "consents": {"programme": {"granted": True, "text": "2026-1"}},
        }
        await self._send(CUSTOMERS, customer_id, record)
        await until(lambda: self.shows(customer_id, available=100), "a new customer")
        return customer_id

    async def buys(self, customer_id: str, minor: int) -> None:
        """A purchase at the till, now."""
        record = {
            "type": "PurchaseCompleted.v1",
            "purchase_id": secrets.token_hex(8),
            "store_id": "s-01",
            "currency": "EUR",
            "total_minor": minor,
            "lines": [],
        }
        await self._send(PURCHASES, customer_id, record)

    async def bonus(self, customer_id: str) -> dict[str, Any]:
        """What `/api/my-bonus` says to a customer."""
        return await self._ask(f"{self.url}/api/my-bonus", customer_id)

    async def shows(self, customer_id: str, *, turnover: int | None = None, **points: int) -> bool:
        """Whether the portal shows so much turnover, and so many points of each kind."""
        await asyncio.sleep(0.15)  # a customer may ask ten times a second
        try:
            found = await self.bonus(customer_id)
        except httpx.HTTPError:
            return False
        spent = turnover is None or found["turnover"]["turnover_minor"] == turnover
        return spent and all(found["points"][kind] == number for kind, number in points.items())

    async def knows(self, customer_id: str, **parts: Any) -> bool:
        """Whether these parts of what `/api/my-bonus` says are so."""
        await asyncio.sleep(0.15)
        found = await self.bonus(customer_id)
        return all(found[name] == value for name, value in parts.items())

    async def asked(self, service: str, method: str, path: str, customer_id: str, **form: str) -> int:
        """The status of what a service answers to a customer's token."""
        headers = {"Authorization": f"Bearer {self.system.stack.token('customer', customer_id)}"}
        url = f"{self.system.services[service].url}{path}"
        return (await self._http.request(method, url, headers=headers, data=form)).status_code

    async def settled(self, customer_id: str) -> dict[str, Any]:
        """What `/api/my-bonus` says once the portal has heard all that turnover, profile and ledger say by now."""
        paths = {"turnover": "turnover", "profile": "profile", "ledger": "balance"}
        async with AsyncMongoClient[dict[str, Any]](self.system.stack.mongo_url()) as mongo:
            accounts = mongo["portal"][ACCOUNTS]

            async def heard() -> bool:
                await asyncio.sleep(0.15)
                found = await accounts.find_one({"_id": {"$regex": f"/{customer_id}$"}})
                seen = account_of(found).seen if found else {}
                for service, path in paths.items():
                    url = f"{self.system.services[service].url}/customers/{customer_id}/{path}"
                    if (await self._get(url, customer_id)).headers["ETag"] != f'"{seen.get(service)}"':
                        return False
                return True

            await until(heard, "the portal to have heard it all")
        return await self.bonus(customer_id)

    async def has_spent(self, customer_id: str, minor: int) -> bool:
        """Whether turnover says so."""
        url = self.system.services["turnover"].url
        return (await self._ask(f"{url}/customers/{customer_id}/turnover", customer_id))["turnover_minor"] == minor

    async def _ask(self, url: str, customer_id: str) -> dict[str, Any]:
        return (await self._get(url, customer_id)).json()

    async def _get(self, url: str, customer_id: str) -> httpx.Response:
        token = self.system.stack.token("customer", customer_id)
        answer = await self._http.get(url, headers={"Authorization": f"Bearer {token}"})
        return answer.raise_for_status()

    async def _send(self, topic: str, customer_id: str, record: dict[str, Any]) -> None:
        whole = record | {"customer_id": customer_id, "occurred_at": datetime.now(UTC).isoformat()}
        partition = partition_of(customer_id, PARTITIONS)
        await self._producer.send_and_wait(topic, json.dumps(whole).encode(), customer_id.encode(), partition)
