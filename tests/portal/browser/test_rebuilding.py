"""The portal is made of topics alone: whatever happens to it, nobody else notices, and nothing is lost."""

from typing import Any

import pytest
from pymongo import AsyncMongoClient

from services.portal.sessions import SESSIONS
from services.portal.views import ACCOUNTS, HISTORY
from tests.portal.browser.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_while_the_portal_is_down_everybody_else_goes_on_and_it_catches_up(shop: Shop) -> None:
    customer_id = await shop.new("c-down")
    portal = shop.system.services["portal"]
    assert portal.child.process is not None
    starts = portal.starts
    await portal.child.stop(15)
    await shop.buys(customer_id, 480_00)
    assert (await shop.turnover(customer_id))["turnover_minor"] in {0, 480_00}  # turnover answers
    while portal.starts == starts:
        pass
    await portal.ready()
    while (await shop.bonus(customer_id))["turnover"]["turnover_minor"] != 480_00:
        pass


async def test_an_emptied_portal_is_made_again_from_the_topics(shop: Shop) -> None:
    customer_id = await shop.new("c-emptied")
    await shop.buys(customer_id, 480_00)
    while (await shop.bonus(customer_id))["points"]["pending"] != 480:
        pass
    before = await shop.bonus(customer_id)
    async with AsyncMongoClient[dict[str, Any]](shop.system.stack.mongo_url()) as mongo:
        database = mongo["portal"]
        for name in await database.list_collection_names():
            if name != SESSIONS:
                await database[name].delete_many({})
        assert not await database[ACCOUNTS].find_one({})
        # Something new is heard, the batch finds that its partitions are gone, and all is read from the beginning.
        await shop.buys(customer_id, 1_00)
        while not await database[HISTORY].find_one({}):
            pass
    while (await shop.bonus(customer_id))["turnover"]["turnover_minor"] != 481_00:
        pass
    while (await shop.bonus(customer_id))["points"]["pending"] != 481:
        pass
    after = await shop.bonus(customer_id)
    assert after["completion"] == before["completion"]
    assert after["benefits"] == before["benefits"]
    assert after["version"] == before["version"] + 2
    assert after["history"]["items"][1:] == before["history"]["items"]
