"""Values of a person in what HTTP answers: boxes as long as they are stored, opened on their way out."""

from collections.abc import Iterable
from typing import Any, Protocol

from shared.http.problems import Problem
from shared.rulebook.sealed import cleared, owners
from shared.sealing import Sealer, UnsealError


class Sealers(Protocol):
    """Whose values can be opened, as stored; raises `shared.mongo.Unavailable`."""

    async def of(self, customer_id: str) -> Sealer | None:
        """What seals and opens the values of a customer; `None` where there is no key."""
        ...

    async def of_all(self, customers: Iterable[str]) -> dict[str, Sealer]:
        """The same for several; who has no key is left out."""
        ...


async def opened(document: Any, sealers: Sealers) -> Any:
    """A document with all that is `sealed` in clear. Raises `erased` where a key is gone."""
    customers = set(owners(document))
    if not customers:
        return document
    keys = await sealers.of_all(customers)
    try:
        return cleared(document, lambda customer, field, box: keys[customer].open(field, box))
    except (KeyError, UnsealError):
        raise Problem("erased") from None
