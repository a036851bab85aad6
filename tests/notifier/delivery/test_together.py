"""Writes that go together do what each would have done alone, and each is told what became of its own."""

import asyncio

import pytest
from pymongo import DeleteOne, UpdateOne
from pymongo.errors import PyMongoError

from services.notifier.delivery.together import Together
from shared.mongo import Mongo

COUNT = 700  # more than go in one write


async def take(together: Together, number: int, who: str) -> bool:
    write = UpdateOne({"_id": number, "status": "queued"}, {"$set": {"status": "taken", "by": who}})
    return await together.write(write, {"_id": number, "by": who})


async def test_of_two_who_want_each_document_one_gets_it_and_knows(mongo: Mongo) -> None:
    documents = mongo.collection("together")
    await documents.insert_many([{"_id": number, "status": "queued"} for number in range(COUNT)])
    one, other = Together(documents), Together(documents)

    async def both(number: int) -> list[bool]:
        return list(await asyncio.gather(take(one, number, "one"), take(other, number, "other")))

    got = await asyncio.gather(*(both(number) for number in range(COUNT)))

    assert all(sum(pair) == 1 for pair in got)
    async for document in documents.find():
        assert document["by"] == ("one" if got[document["_id"]][0] else "other")


async def test_who_asks_in_vain_does_not_keep_neighbours_from_theirs(mongo: Mongo) -> None:
    documents = mongo.collection("neighbours")
    await documents.insert_many([{"_id": number, "status": "queued"} for number in range(3)])
    together = Together(documents)
    assert await asyncio.gather(*(take(together, number, "me") for number in (0, 7, 2))) == [True, False, True]


async def test_what_asks_for_no_answer_is_done(mongo: Mongo) -> None:
    documents = mongo.collection("unasked")
    await documents.insert_many([{"_id": number} for number in range(3)])
    together = Together(documents)
    await asyncio.gather(*(together.write(DeleteOne({"_id": number})) for number in (0, 2, 9)))
    assert [document["_id"] async for document in documents.find()] == [1]


async def test_an_error_reaches_everybody_whose_write_it_was_and_the_next_write_works(mongo: Mongo) -> None:
    documents = mongo.collection("errors")
    await documents.insert_one({"_id": 1, "status": "queued"})
    together = Together(documents)
    bad = UpdateOne({"_id": 1}, {"$set": {"_id": 2}})
    wishes = [together.write(bad), take(together, 1, "me")]
    first, _ = await asyncio.gather(*wishes, return_exceptions=True)
    assert isinstance(first, PyMongoError)
    with pytest.raises(PyMongoError):
        await together.write(bad)
    await documents.update_one({"_id": 1}, {"$set": {"status": "queued"}})
    assert await take(together, 1, "me again")
