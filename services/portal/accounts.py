"""Reads of accounts and histories, from the portal's own database."""

import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from services.portal.account import Account
from services.portal.views import ACCOUNTS, HISTORY, Line, account_of, line_of
from shared.http.problems import invalid
from shared.mongo import Document, Mongo
from shared.runtime.owned import PARTITIONS, view_id

PAGE: Final = 20  # items of a history
_LINES: Final = 5  # that an item may have: a purchase with its points has two
_TICKS_FOR: Final = 1.0  # seconds


class Accounts:
    """Accounts by customer. `partition`: of a customer. Every read raises `shared.mongo.Unavailable`."""

    def __init__(self, mongo: Mongo, partition: Callable[[str], int]) -> None:
        self._mongo, self._partition = mongo, partition
        self._ticks: Mapping[int, datetime | None] = {}
        self._ticked = -_TICKS_FOR

    def identity(self, customer_id: str) -> str:
        """The `_id` of a customer's account."""
        return view_id(self._partition(customer_id), customer_id)

    async def read(self, customer_id: str) -> Account:
        """A customer's account; an empty one where nothing was heard of them."""
        found = await self._mongo.find(ACCOUNTS, {"_id": self.identity(customer_id)})
        return account_of(found[0]) if found else Account()

    async def versions(self, customers: Sequence[str]) -> dict[str, int]:
        """The versions of those accounts that there are, by customer."""
        identities = {self.identity(customer): customer for customer in customers}
        found = await self._mongo.find(ACCOUNTS, {"_id": {"$in": list(identities)}}, fields={"version": 1})
        return {identities[document["_id"]]: document["version"] for document in found}

    async def history(self, customer_id: str, cursor: str | None, limit: int = PAGE) -> tuple[list[Line], str | None]:
        """The lines of so many items of a history, newest first, and the cursor of the next page.

        Raises `validation` for a cursor that is not ours.
        """
        prefix = f"{self.identity(customer_id)}/"
        below = prefix + _place(cursor) if cursor else f"{self.identity(customer_id)}0"  # "0" is the next after "/"
        wanted = limit * _LINES + 1
        found = await self._mongo.find(
            HISTORY, {"_id": {"$gte": prefix, "$lt": below}}, sort=[("_id", -1)], limit=wanted
        )
        groups = [list(group) for _, group in groupby(found, lambda one: (one["at"], one["group"]))]
        if len(found) == wanted and len(groups) > 1:
            groups.pop()  # the last one may go on
        shown = groups[:limit]
        more = len(found) == wanted or len(groups) > limit
        following = _cursor(shown[-1][-1], prefix) if more and shown else None
        return [line_of(document) for group in shown for document in group], following

    async def tick(self, customer_id: str) -> datetime | None:
        """The last tick of a customer's partition, as of a second ago at most."""
        if time.monotonic() - self._ticked > _TICKS_FOR:
            found = await self._mongo.find(PARTITIONS, {}, fields={"tick": 1})
            self._ticks = {document["_id"]: document["tick"] for document in found}
            self._ticked = time.monotonic()
        return self._ticks.get(self._partition(customer_id))


def _cursor(document: Document, prefix: str) -> str:
    return base64.urlsafe_b64encode(document["_id"].removeprefix(prefix).encode()).decode().rstrip("=")


def _place(cursor: str) -> str:
    # Whatever a cursor says, it is a place within the customer's own history.
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        raise invalid([("cursor", "is not one that this list gave out")]) from None
