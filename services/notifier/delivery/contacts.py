"""Names and addresses, from profile, in the moment in which they are needed. They are kept nowhere."""

from collections.abc import Collection, Mapping
from typing import Any

import httpx
from msgspec import Struct

from services.notifier.delivery.settings import DeliverySettings


class Address(Struct, frozen=True):
    """An address in one channel. `ref`: opaque, another one for another address."""

    address: str
    ref: str

    def __repr__(self) -> str:
        return f"Address({self.ref})"


class Contact(Struct, frozen=True):
    """How to reach a customer. Personal data: never logged."""

    name: str | None
    channels: Mapping[str, Address]

    def __repr__(self) -> str:
        return "Contact(…)"


class ProfileAway(Exception):
    """Profile does not answer, or not as it should. Messages wait."""


class Profile:
    """Profile's API, as far as the notifier may use it."""

    def __init__(self, settings: DeliverySettings, client: httpx.AsyncClient) -> None:
        self._settings, self._client = settings, client

    async def contacts(self, customer_ids: Collection[str]) -> dict[str, Contact]:
        """Of up to 500 customers those who can be reached; raises `ProfileAway`."""
        answer = await self._call("POST", "/contacts", {"customer_ids": sorted(set(customer_ids))})
        try:
            return {
                item["customer_id"]: Contact(
                    item["name"],
                    {name: Address(one["address"], one["ref"]) for name, one in item["channels"].items()},
                )
                for item in answer.json()["items"]
            }
        except (ValueError, KeyError, TypeError):
            raise ProfileAway("profile's answer is not as agreed") from None

    async def switch_off(self, customer_id: str, what: str) -> bool:
        """Clear the reminder switch (`reminders`) or that of a channel, for good; False for a customer who is gone."""
        path = "reminders" if what == "reminders" else f"channels/{what}"
        answer = await self._call("PUT", f"/customers/{customer_id}/{path}", {"on": False}, missing=(404, 410))
        return answer.is_success

    async def _call(self, method: str, path: str, body: Any, missing: Collection[int] = ()) -> httpx.Response:
        try:
            headers = {"Authorization": f"Bearer {self._settings.token()}"}
            answer = await self._client.request(method, self._settings.profile_url + path, json=body, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            raise ProfileAway(type(error).__name__) from None
        if not answer.is_success and answer.status_code not in missing:
            raise ProfileAway(f"profile answers {answer.status_code}")
        return answer
