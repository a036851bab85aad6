"""The portal is made of topics alone: whatever happens to it, nobody else notices, and nothing is lost."""

from typing import Any

import pytest
from pymongo import AsyncMongoClient

from services.portal.sessions import SESSIONS
from services.portal.views import ACCOUNTS
from tests.faults.waiting import until
from tests.portal.browser.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_while_the_portal_is_down_everybody_else_goes_on_and_it_catches_up(shop: Shop) -> None:
    customer_id = await shop.enrolled()
    portal = shop.system.services["portal"]
    starts = portal.starts
    await portal.child.stop(15)
    await shop.buys(customer_id, 480_00)
    await until(lambda: shop.has_spent(customer_id, 480_00), "turnover")
    await until(lambda: portal.starts > starts, "the portal's next start")
    await portal.ready()
    await until(lambda: shop.shows(customer_id, turnover=480_00, pending=480), "the portal")


async def test_an_emptied_portal_is_made_again_from_the_topics(shop: Shop) -> None:
    customer_id = await shop.enrolled()
    await shop.buys(customer_id, 480_00)
    await until(lambda: shop.shows(customer_id, turnover=480_00, pending=480), "a purchase")
    before = await shop.settled(customer_id)
    async with AsyncMongoClient[dict[str, Any]](shop.system.stack.mongo_url()) as mongo:
        database = mongo["portal"]
        for name in await database.list_collection_names():
            if name != SESSIONS:
                await database[name].delete_many({})
        assert not await database[ACCOUNTS].find_one({"_id": {"$regex": customer_id}})
    # Something new is heard, the batch finds that its partition is gone, and all is read again from the beginning.
    await shop.buys(customer_id, 1_00)
    await until(lambda: shop.shows(customer_id, turnover=481_00, pending=481), "the portal")
    after = await shop.settled(customer_id)
    assert after["completion"] == before["completion"]
    for name in ("benefit", "status", "since"):
        assert [one[name] for one in after["benefits"]] == [one[name] for one in before["benefits"]]
    # A purchase and its points came in between, and perhaps that the mail about the first ones was sent.
    assert after["version"] - before["version"] in {2, 3}
    assert after["history"]["items"][1:] == before["history"]["items"]
