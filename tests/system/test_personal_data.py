"""Where personal data may be, looked for and not asserted: marked values go through the whole running system, and then
every topic, every collection, every log line and every metric is searched for them.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from deploy.cli import kafka
from deploy.local.system import System
from shared.contracts.partition import partition_of
from shared.contracts.topics import CUSTOMERS, commands_topic, events_topic
from shared.masterkeys.kms import GoneError, connect
from shared.masterkeys.masters import Master
from shared.sealing import Sealer, UnsealError
from tests.faults.waiting import until
from tests.system.people import PARTITIONS, Json, People, ago, upserted

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

CONSENT = {"programme": {"granted": True, "text": "2026-1"}}
PATHS = (*(f"fields.{name}" for name in ("email", "phone", "birthday", "address")), "name", "channels.push")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(whole_system: System) -> AsyncIterator[People]:
    async with People.of(whole_system) as people:
        # A rotation of the master key waits as long as the longest transaction, twice.
        longest = {"setParameter": 1, "transactionLifetimeLimitSeconds": 1}
        before = (await people.mongo.admin.command(longest))["was"]
        yield people
        await people.mongo.admin.command(longest | {"transactionLifetimeLimitSeconds": before})


@dataclass(frozen=True)
class Marked:
    """Values of a person that are found again wherever they are: each holds the word or the digits of this person."""

    word: str
    digits: str

    @property
    def values(self) -> dict[str, Any]:
        """Parts of a record of the CRM."""
        fields = {
            "email": f"{self.word}@{self.word}.example",
            "phone": f"+49 30 {self.digits}",
            "birthday": f"19{self.digits[:2]}-03-19",
            "address": f"{self.word} street 1",
        }
        return {"fields": fields, "name": f"Maria {self.word}", "locale": "de", "consents": CONSENT}

    def within(self, text: bytes) -> bool:
        """Whether any of these values is there, in any letter case."""
        return any(
            mark.lower().encode() in text.lower() for mark in (self.word, self.digits, f"19{self.digits[:2]}-03")
        )


async def test_no_value_of_a_person_is_anywhere_in_clear_but_on_the_topic_of_the_crm(people: People) -> None:
    marked = Marked("Quizzaciously", "7391526804")
    await _go_through_everything(people, marked)

    in_clear, known = set[str](), set[str]()
    async for place, text in _everything(people):
        if marked.within(text):
            in_clear.add(place)
        if b"m-1" in text:
            known.add(place)
    assert in_clear == {f"topic {CUSTOMERS}"}
    # The search does find what is there: the customer's id is no secret.
    logs = {f"collection {service}.log" for service in people.system.services}
    topics = {f"topic {name}.events" for name in ("profile", "turnover", "ledger", "notifier")}
    assert (
        logs | topics | {"topic profile.commands", "collection profile.answers", "collection local.oplog.rs"} <= known
    )


async def test_nothing_that_is_left_after_an_erasure_opens_a_value(people: People) -> None:
    erased, other = Marked("Bumfuzzle", "6284017359"), Marked("Cattywampus", "9137046285")
    for customer, marked in (("d-1", erased), ("d-2", other)):
        await people.enrolled(customer, **marked.values)
        await people.own("PATCH", customer, "/profile", {"name": f"Marta {marked.word}"})
    place = await _pending_or_answered(people, "d-1")
    found = await (await Copy.taken(people)).opened(people)
    assert all(any(marked.within(text.encode()) for text in found) for marked in (erased, other))

    await _erase(people, "d-1")
    found = await (await Copy.taken(people)).opened(people)
    assert any(other.within(text.encode()) for text in found)
    assert not any(erased.within(text.encode()) for text in found)
    assert (await people.call("GET", place, scope="customer", customer="d-1")).status_code == 404
    assert (await people.call("POST", "/contacts", {"customer_ids": ["d-1"]}, scope="contacts")).json()["items"] == []
    for path in ("/profile", "/export"):
        assert (await people.own("GET", "d-1", path)).status_code == 410


async def test_a_copy_from_before_an_erasure_opens_until_the_master_key_of_then_is_destroyed(people: People) -> None:
    erased, other = Marked("Lollygag", "5820391467"), Marked("Taradiddle", "4091852763")
    await people.enrolled("d-3", **erased.values)
    await people.enrolled("d-4", **other.values)
    backup = await Copy.taken(people)
    await _erase(people, "d-3")
    assert any(erased.within(text.encode()) for text in await backup.opened(people)), "the key is in the backup"

    assert "wraps all keys" in await people.perkstream("keys", "rotate")
    assert "is destroyed" in await people.perkstream("keys", "destroy", "1", "--yes")
    assert await backup.opened(people) == set()
    left = await (await Copy.taken(people)).opened(people)
    assert any(other.within(text.encode()) for text in left)
    assert not any(erased.within(text.encode()) for text in left)
    # Who came before goes on, and who comes now has a key that can be destroyed again.
    assert other.word in (await people.own("PATCH", "d-4", "/profile", {"locale": "en"})).json()["name"]
    await people.enrolled("d-5", **other.values)
    assert {key["master"] async for key in people.profile["keys"].find()} == {2}


async def _go_through_everything(people: People, marked: Marked) -> None:
    """Let all ways that a value can take be taken, good and bad."""
    values, word = marked.values, marked.word
    await people.enrolled("m-1", **values)
    await people.crm("m-2", partition=(partition_of("m-2", PARTITIONS) + 1) % PARTITIONS, **values)
    await people.shown("m-2")

    bad = {"email": word, "phone": word, "birthday": word, "address": f"{word} " * 90, word: word}
    parts: Json = {"name": f"{word}\n", "locale": word, "time_zone": word, "consents": {word: word, "marketing": word}}
    await people.crm("m-1", occurred_at=ago(hours=2), fields=bad, **parts)
    await people.letter(CUSTOMERS, "fields.email: is no e-mail")
    await people.send(CUSTOMERS, word, {**upserted("m-1", **values), "occurred_at": word})
    await people.letter(CUSTOMERS, "occurred_at")
    await people.send(CUSTOMERS, word, f'{{"name": "{word}"'.encode(), headers=[("note", word.encode())])
    await people.letter(CUSTOMERS, "record: is no JSON")
    assert "retried" in await people.perkstream("dead-letters", "profile", "retry")

    assert (
        await people.own("PATCH", "m-1", "/profile", {"name": f"Marta {word}", "fields": values["fields"]})
    ).is_success
    push = json.dumps({"endpoint": f"https://push.example/{word}", "keys": {"p256dh": word, "auth": word}})
    for channel, address in (("email", f"{word}@b.example"), ("sms", f"+49 40 {marked.digits}"), ("push", push)):
        said = {"on": True, "address": address}
        answer = await people.own("PUT", "m-1", f"/channels/{channel}", said)
        assert answer.is_success, answer.text
    for body in ({"fields": bad}, {"fields": {"phone": word}}, {"locale": word, "time_zone": word}, {word: word}, word):
        assert (await people.own("PATCH", "m-1", "/profile", body)).status_code == 422
    assert (await people.own("PUT", "m-1", f"/channels/{word}", {"on": True})).status_code == 422
    assert (await people.own("PUT", "m-1", "/channels/sms", {"on": True, "address": word})).status_code == 422
    keyed = {"Idempotency-Key": word}
    assert (await people.call("PATCH", "/customers/m-1/profile", {"name": word}, headers=keyed)).is_success
    assert (await people.call("GET", f"/customers/{word}@{word}/profile?name={word}")).status_code == 422
    assert (await people.call("GET", f"/cards/{word}", scope="pos")).status_code == 422
    assert word in (await people.own("GET", "m-1", "/export")).text

    # A mail with the name in it, by way of turnover and the notifier.
    await people.tick(datetime.now(UTC))
    await people.buys("m-1", "m-1-p")
    await _mailed(people, word)


async def _mailed(people: People, word: str) -> None:
    async def mailed() -> bool:
        async with httpx.AsyncClient(verify=False) as http:
            mails = (await http.get(f"{people.system.mailbox.url}/mails")).json()
        return any(word in (mail["text"] or "") for mail in mails)

    await until(mailed, "a mail that names the customer", 60)


async def _pending_or_answered(people: People, customer: str) -> str:
    """Where the answer to an edit of the customer lies, which holds their values."""
    command = json.loads((await people.records(commands_topic("profile"), customer))[-1].value)
    place = f"/commands/{command['command_id']}"
    answer = await people.call("GET", place, scope="customer", customer=customer)
    assert answer.status_code == 200, answer.text
    return place


async def _erase(people: People, customer: str) -> None:
    """Return once the customer's key is gone, which is when the notifier has sent the receipt."""
    assert (await people.own("DELETE", customer)).is_success
    await people.says(customer, "CustomerErased.v1")


async def _everything(people: People) -> AsyncIterator[tuple[str, bytes]]:
    """All that the system holds, with where it is; that MongoDB's own log holds what was deleted, too."""
    options = people.stack.kafka_options()
    for topic in await kafka.partitions(options):
        if not topic.startswith("__"):
            async for record in kafka.read(options, topic):
                headers = b" ".join(name.encode() + b" " + value for name, value in record.headers)
                yield f"topic {topic}", b" ".join((record.key or b"", record.value or b"", headers))
    async with AsyncMongoClient[Any](people.stack.mongo_url(), document_class=RawBSONDocument) as mongo:
        ours = [name for name in await mongo.list_database_names() if name not in {"admin", "config", "local"}]
        found = [(name, each) for name in ours for each in await mongo[name].list_collection_names()]
        for name, collection in [*found, ("local", "oplog.rs")]:
            async for document in mongo[name][collection].find():
                yield f"collection {name}.{collection}", bytes(document.raw)
    for log in sorted(_logs(people)):
        yield f"log {log.name}", log.read_bytes()
    for name in people.system.services:
        metrics = await people.call("GET", "/metrics", token="", service=name)
        assert metrics.is_success
        yield f"metrics of {name}", metrics.content


def _logs(people: People) -> list[Path]:
    logs = list((people.stack.folder / "logs").iterdir())
    assert {log.stem for log in logs} >= people.system.services.keys()
    return logs


@dataclass(frozen=True)
class Copy:
    """A copy of profile's database and topics, as a backup is, or somebody who got in would make.

    `held`: all that is there, but for what Kafka holds of the CRM.
    """

    keys: list[dict[str, Any]]
    masters: list[dict[str, Any]]
    held: list[bytes]

    @staticmethod
    async def taken(people: People) -> "Copy":
        held: list[bytes] = []
        async with AsyncMongoClient[Any](people.stack.mongo_url(), document_class=RawBSONDocument) as mongo:
            for collection in await mongo["profile"].list_collection_names():
                held += [bytes(document.raw) async for document in mongo["profile"][collection].find()]
        for topic in (commands_topic("profile"), events_topic("profile")):
            held += [each.value or b"" async for each in kafka.read(people.stack.kafka_options(), topic)]
        keys, masters = people.profile["keys"], people.profile["masters"]
        return Copy(await keys.find().to_list(None), await masters.find().to_list(None), held)

    async def opened(self, people: People) -> set[str]:
        """What it tells whoever may ask the KMS of now: every box that any of its keys opens."""
        kms = connect(people.stack.environment("profile")["PERKSTREAM_MASTER_KEYS"])
        masters: dict[int, Master] = {}
        for each in self.masters:
            with suppress(GoneError):
                masters[each["_id"]] = Master(each["_id"], await kms.decrypt(each["ref"], each["wrapped"]))
        sealers: list[Sealer] = []
        for key in self.keys:
            if key["master"] in masters:
                customer = key["_id"].partition("/")[2]
                sealers.append(Sealer(customer, masters[key["master"]].unwrap(customer, key["wrapped"])))
        boxes = {box.decode() for each in self.held for box in re.findall(rb"[A-Za-z0-9_-]{22,}", each)}
        return {text for sealer in sealers for box in boxes for path in PATHS if (text := _opened(sealer, path, box))}


def _opened(sealer: Sealer, path: str, box: str) -> str | None:
    try:
        return sealer.open(path, box)
    except UnsealError:
        return None
