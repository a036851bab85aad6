"""The sender at work: what is queued arrives, once, and what became of it is known."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.notifier.channels.port import AT_ONCE
from services.notifier.delivery import contacts, line, sender
from services.notifier.delivery.outbox import MARKS, Delivery, Outbox
from services.notifier.views import DELIVERIES, open_items
from shared.contracts.notifier import NotificationSent
from shared.contracts.partition import partition_of
from shared.runtime.owned import view_id
from tests.notifier.channels.mailserver import MailServer
from tests.notifier.channels.provider import Answer, Provider
from tests.notifier.delivery.stand import PARTITIONS, Profile, Stand, customer, until, when
from tests.notifier.rules.world import Raw, expiring, locked, preferences, tier, unlocked

MAIL = preferences(known="email")
CAUSES: dict[str, Callable[[str], Raw]] = {
    "tier": lambda at: tier("bronze", "silver", at),
    "alpha": lambda at: unlocked("alpha", at),
    "points": lambda at: expiring(40, (datetime.now(UTC) + timedelta(days=30)).isoformat(), at),
}
WHAT = {"tier_changed": "tier", "benefit_unlocked": "alpha", "points_expiring": "points"}


def repeats(why: str) -> float:
    return REGISTRY.get_sample_value("perkstream_delivery_repeats_total", {"why": why}) or 0


async def moved(stand: Stand, *numbers: int) -> None:
    """These customers reach another tier, and can be reached by mail."""
    for number in numbers:
        name = customer(number)
        stand.profile.addresses[name] = {"email": f"{name}@example.org"}
        await stand.writer.say(name, MAIL, tier("bronze", "silver", when()))


async def empty(stand: Stand) -> bool:
    return await stand.documents() == await stand.marks() == []


async def test_what_is_queued_is_sent_and_reported(stand: Stand, server: MailServer) -> None:
    await moved(stand, 1)
    ((identity, _),) = stand.writer.customer("c-1").queue.items()
    async with stand.runs():
        await until(lambda: empty(stand))
    (mail,) = server.mails()
    assert mail["To"] == "c-1@example.org"
    assert identity in mail["Message-ID"]
    assert "Ada Example" in str(mail.get_body(("plain",)))
    assert mail["List-Unsubscribe"].startswith("<https://bonus.example/unsubscribe/")
    assert stand.writer.events("c-1") == ["sent tier_changed/email"]


async def test_a_pile_is_sent_whole_each_once(stand: Stand, server: MailServer) -> None:
    await moved(stand, *range(40))
    async with stand.runs():
        await until(lambda: empty(stand))
    assert sorted(mail["To"] for mail in server.mails()) == sorted(f"c-{n}@example.org" for n in range(40))
    assert server.connections < 40


async def test_what_was_left_half_way_is_sent_again_once_with_the_same_id_and_counted(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PATIENCE", 0)
    await moved(stand, 1)
    before = repeats("half_way")
    server.holds.clear()  # it is with the server when its sender dies
    async with stand.runs() as running:
        await until(lambda: server.held)
        for task in running.lines["email"].flying.values():
            task.cancel()
    server.holds.set()
    async with stand.runs(dict.fromkeys(range(PARTITIONS), 2)):
        await until(lambda: empty(stand))
    assert 1 <= len(server.mails()) <= 2
    assert len({mail["Message-ID"] for mail in server.mails()}) == 1
    assert repeats("half_way") == before + 1
    assert stand.writer.events("c-1") == ["sent tier_changed/email"]


async def test_what_was_sent_and_not_reported_is_reported_by_the_next_owner_and_not_sent_again(
    stand: Stand, server: MailServer
) -> None:
    await moved(stand, 1)
    stand.writer.away = True
    async with stand.runs():
        await until(lambda: _status(stand, "done"))
    stand.writer.away = False
    async with stand.runs(dict.fromkeys(range(PARTITIONS), 2)):
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1
    assert stand.writer.events("c-1") == ["sent tier_changed/email"]


async def test_what_became_of_a_message_is_told_by_the_next_owner_though_it_was_withdrawn_since(
    stand: Stand, server: MailServer
) -> None:
    await moved(stand, 1)
    stand.writer.away = True
    async with stand.runs():
        await until(lambda: _status(stand, "done"))
        await stand.writer.say("c-1", tier("silver", "bronze", when()))
    stand.writer.away = False
    async with stand.runs(dict.fromkeys(range(PARTITIONS), 2)):
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1
    assert stand.writer.events("c-1")[-1] == "sent tier_changed/email"
    assert [item["reason"] for item in _open(stand, "c-1")] == ["cap"]  # that it is bronze again


async def test_what_changed_after_it_was_sent_is_reported_when_the_writers_are_back(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "UNHEARD", 0.2)
    name, moment = customer(1), when(timedelta(seconds=10))
    stand.profile.addresses[name] = {"email": f"{name}@example.org"}
    await stand.writer.say(name, MAIL, unlocked("alpha", moment))
    stand.writer.away = True
    async with stand.runs():
        await until(lambda: _status(stand, "done"))
        await stand.writer.say(name, unlocked("beta", moment))
        await asyncio.sleep(0.3)
        stand.writer.away = False
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1
    assert stand.writer.events(name) == ["sent benefit_unlocked/email"]
    assert [item["reason"] for item in _open(stand, name)] == ["cap"]


async def test_what_one_could_not_send_and_the_next_one_did_is_not_sent_again(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both make the first attempt: the one had lost the partition meanwhile, and says so before the other has sent."""
    monkeypatch.setattr(line, "OUTAGE", 0.1)
    monkeypatch.setattr(sender, "PATIENCE", 0)
    await moved(stand, 1)
    server.holds.clear()
    server.at_data = ["450 4.2.0 greylisted"]
    async with stand.runs():
        await until(lambda: server.held)
        stand.writer.away = True
        async with stand.runs(dict.fromkeys(range(PARTITIONS), 2)):
            await until(lambda: len(server.held) == 2)
            server.holds.set()
            stand.writer.away = False
            await until(lambda: empty(stand))
            stand.clock.ahead += timedelta(minutes=2)
            await asyncio.sleep(0.7)  # a second attempt would be made by now
    assert sorted(each["outcome"] for each in stand.writer.told) == ["retry", "sent"]
    assert len(server.mails()) == 1
    assert stand.writer.events("c-1") == ["sent tier_changed/email"]


async def test_who_has_lost_a_partition_takes_nothing(stand: Stand) -> None:
    await moved(stand, 1)
    outbox = Outbox(stand.mongo)
    owned = range(PARTITIONS)
    for number in owned:
        await outbox.take_over(number, 1)
    (seen,) = await outbox.due("email", dict.fromkeys(owned, 1), stand.clock(), 10, ())
    for number in owned:
        await outbox.take_over(number, 2)
    assert not await outbox.begin(seen, 1)
    assert await outbox.begin(seen, 2)
    assert not await outbox.begin(seen, 2)


async def test_what_was_queued_since_is_not_taken_either_by_who_has_lost_the_partition(stand: Stand) -> None:
    outbox = Outbox(stand.mongo)
    for number in stand.owned:
        await outbox.take_over(number, 2)
    await moved(stand, 1)
    (seen,) = await outbox.due("email", stand.owned, stand.clock(), 10, ())
    assert not await outbox.begin(seen, 1)
    assert await stand.marks() == []
    assert await outbox.begin(seen, 2)


async def test_who_looks_for_marks_finds_that_of_who_did_not_see_the_fence(stand: Stand) -> None:
    """A mark is made before one looks at the fence, and a fence is raised before one looks for marks."""
    await moved(stand, *range(20))
    outbox = Outbox(stand.mongo)
    seen = await outbox.due("email", stand.owned, stand.clock(), 20, ())

    async def begins(delivery: Delivery) -> bool:
        await asyncio.sleep(random.random() / 50)
        return await outbox.begin(delivery, 1)

    async def takes_over(number: int) -> int:
        await outbox.take_over(number, 2)
        return await outbox.free(number, 2, ())

    begun, *left = await asyncio.gather(
        asyncio.gather(*(begins(each) for each in seen)), *(takes_over(number) for number in stand.owned)
    )
    assert sum(left) >= sum(begun)
    assert await stand.marks() == []


async def test_a_partition_that_goes_while_profile_is_asked_ends_nothing(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = dict.fromkeys(range(PARTITIONS), 1)
    asked, go = asyncio.Event(), asyncio.Event()
    ask = contacts.Profile.contacts

    async def slow(self: contacts.Profile, customer_ids: list[str]) -> dict[str, contacts.Contact]:
        asked.set()
        await go.wait()
        return await ask(self, customer_ids)

    monkeypatch.setattr(contacts.Profile, "contacts", slow)
    await moved(stand, 1)
    number = partition_of("c-1", PARTITIONS)
    async with stand.runs(owned) as running:
        await asked.wait()
        del owned[number]
        await asyncio.sleep(0.3)  # it knows by now
        await Outbox(stand.mongo).take_over(number, 2)
        go.set()
        await until(lambda: not running.lines["email"].flying)
        assert server.mails() == []
        owned[number] = 3
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1


async def test_who_loses_a_partition_while_it_sends_has_a_while_to_say_so(stand: Stand, server: MailServer) -> None:
    """And nothing else overtakes it meanwhile."""
    await moved(stand, 1)
    before = repeats("half_way")
    server.holds.clear()
    async with stand.runs():
        await until(lambda: server.held)
        async with stand.runs(dict.fromkeys(range(PARTITIONS), 2)):
            await stand.writer.say("c-1", unlocked("alpha", when(timedelta(seconds=5))))
            await moved(stand, 2)
            await until(lambda: len(server.held) == 2)
            assert sorted(server.held) == ["c-1@example.org", "c-2@example.org"]
            server.holds.set()
            await until(lambda: empty(stand))
    assert len(server.mails()) == 3
    assert repeats("half_way") == before
    assert stand.writer.events("c-1") == ["sent tier_changed/email", "sent benefit_unlocked/email"]


async def test_the_mark_of_who_died_before_it_looked_at_the_fence_is_found(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = repeats("half_way")
    monkeypatch.setattr(sender, "PATIENCE", 0)
    monkeypatch.setattr(sender, "ASTRAY", 0.2)
    server.holds.clear()
    async with stand.runs(dict.fromkeys(range(PARTITIONS), 2)):
        await moved(stand, 1)
        await until(lambda: server.held)
        (mark,) = await stand.marks()
        other = mark | {"_id": view_id(partition_of("c-2", PARTITIONS), "another"), "epoch": 1}
        await stand.mongo.collection(MARKS).insert_one(other)
        await until(lambda: repeats("half_way") == before + 1)
        assert await stand.marks() == [mark]
        server.holds.set()
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1


async def test_what_was_withdrawn_after_it_was_read_is_not_taken(stand: Stand) -> None:
    await moved(stand, 1)
    outbox = Outbox(stand.mongo)
    (seen,) = await outbox.due("email", stand.owned, stand.clock(), 10, ())
    await stand.writer.say("c-1", preferences(consent=False))
    assert not await outbox.begin(seen, 1)


@pytest.mark.parametrize("at_once", [pytest.param(1, marks=pytest.mark.chaos), AT_ONCE])
async def test_an_hour_without_a_mail_server_loses_nothing_and_keeps_the_order(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(line, "AT_ONCE", at_once)
    if at_once == 1:
        monkeypatch.setattr(line, "AHEAD", 1)
    server.down()
    told = [(customer(number), what) for what in ("tier", "alpha", "points") for number in (5, 2, 4, 1, 3)]
    minutes = {(name, what): 100 - (7 * place) % 100 for place, (name, what) in enumerate(told)}
    for (name, what), ago in sorted(minutes.items()):
        stand.profile.addresses[name] = {"email": f"{name}@example.org"}
        await stand.writer.say(name, MAIL, CAUSES[what](when(timedelta(minutes=ago))))
    queued = {document["_id"].partition("/")[2]: document for document in await stand.documents()}
    assert len(queued) == len(told)
    async with stand.runs() as sender:
        for _ in range(7):  # pauses grow, and what cannot be sent stays as it is
            await until(lambda: sender.lines["email"].pause.waiting)
            stand.clock.ahead += timedelta(minutes=10)
        await stand.writer.say(customer(3), tier("silver", "bronze", when()), locked("alpha", when()))
        assert server.asked == []
        assert all(document["attempt"] == 1 for document in await stand.documents())
        await server.up()
        await until(lambda: empty(stand))
    arrived = [queued[mail["Message-ID"][1:33]] for mail in server.mails()]
    found = [(one["customer"], WHAT[one["template"]]) for one in arrived]
    reversed_since = {(customer(3), "tier"), (customer(3), "alpha")}
    wanted = [each for each in sorted(minutes, key=lambda each: -minutes[each]) if each not in reversed_since]
    assert sorted(found) == sorted(wanted)
    for name in map(customer, range(1, 6)):
        assert [each for each in found if each[0] == name] == [each for each in wanted if each[0] == name]
    if at_once == 1:
        assert found == wanted


async def test_messages_to_one_customer_go_one_after_the_other(stand: Stand, server: MailServer) -> None:
    for number in (1, 2):
        name = customer(number)
        stand.profile.addresses[name] = {"email": f"{name}@example.org"}
        for minutes, what in ((30, "points"), (20, "tier"), (10, "alpha")):
            await stand.writer.say(name, MAIL, CAUSES[what](when(timedelta(minutes=minutes))))
    server.holds.clear()
    async with stand.runs():
        await until(lambda: len(server.held) == 2)
        await asyncio.sleep(0.2)  # the others would have come by now
        assert sorted(server.held) == ["c-1@example.org", "c-2@example.org"]
        server.holds.set()
        await until(lambda: empty(stand))
    assert len(server.mails()) == 6


async def test_messages_go_in_the_order_of_their_causes(stand: Stand) -> None:
    for number, ago in ((1, 30), (2, 50), (3, 40)):
        raw = tier("bronze", "silver", when(timedelta(minutes=ago)))
        await stand.writer.say(customer(number), MAIL, raw)
    found = await Outbox(stand.mongo).due("email", stand.owned, stand.clock(), 10, ())
    assert [each.customer for each in found] == ["c-2", "c-3", "c-1"]


async def test_what_was_put_off_comes_again_in_its_order_and_not_before_its_time(stand: Stand) -> None:
    for number, ago in ((1, 30), (2, 50), (3, 40), (4, 60)):
        raw = tier("bronze", "silver", when(timedelta(minutes=ago)))
        await stand.writer.say(customer(number), MAIL, raw)
    documents, now = stand.mongo.collection(DELIVERIES), stand.clock()
    await documents.update_one({"customer": "c-3"}, {"$set": {"due": now - timedelta(minutes=1)}})
    await documents.update_one({"customer": "c-4"}, {"$set": {"due": now + timedelta(minutes=1)}})
    outbox = Outbox(stand.mongo)

    async def due(at: datetime, limit: int) -> list[str]:
        return [each.customer for each in await outbox.due("email", stand.owned, at, limit, ())]

    assert await due(now, 10) == ["c-2", "c-3", "c-1"]
    assert await due(now, 2) == ["c-2", "c-3"]
    assert await due(now + timedelta(minutes=2), 10) == ["c-4", "c-2", "c-3", "c-1"]


async def test_a_server_that_puts_one_off_is_asked_again_after_a_pause_and_takes_the_others(
    stand: Stand, server: MailServer
) -> None:
    server.at_rcpt = ["450 4.2.0 greylisted"]
    await moved(stand, 1)
    async with stand.runs():
        await until(lambda: _has(stand, attempt=2))
        await moved(stand, 2)
        await until(lambda: len(server.mails()) == 1)
        assert server.mails()[0]["To"] == "c-2@example.org"
        stand.clock.ahead += timedelta(minutes=2)
        await until(lambda: empty(stand))
    assert [mail["To"] for mail in server.mails()] == ["c-2@example.org", "c-1@example.org"]


async def test_an_address_that_is_rejected_is_not_tried_again_until_it_changes(
    stand: Stand, server: MailServer
) -> None:
    server.at_rcpt = ["550 5.1.1 no such user"]
    await moved(stand, 1)
    async with stand.runs():
        await until(lambda: empty(stand))
        await stand.writer.say("c-1", unlocked("alpha", when(timedelta(seconds=5))))
        await until(lambda: empty(stand))
        stand.profile.addresses["c-1"] = {"email": "new@example.org"}
        await stand.writer.say("c-1", tier("silver", "gold", when()))
        await until(lambda: empty(stand))
    assert [mail["To"] for mail in server.mails()] == ["new@example.org"]
    assert server.asked == ["c-1@example.org", "new@example.org"]
    assert stand.writer.events("c-1") == [
        "failed tier_changed/email rejected",
        "suppressed benefit_unlocked/email bad_address",
        "sent tier_changed/email",
    ]


async def test_a_mail_that_is_refused_is_not_tried_again_and_tells_nothing_of_the_address(
    stand: Stand, server: MailServer
) -> None:
    server.at_data = ["554 5.7.1 looks like spam"]
    await moved(stand, 1)
    async with stand.runs():
        await until(lambda: empty(stand))
        stand.clock.ahead += timedelta(days=1)
        await stand.writer.say("c-1", unlocked("alpha", when(timedelta(seconds=5))))
        await until(lambda: empty(stand))
    assert len(server.asked) == 2
    assert [mail["Message-ID"] for mail in server.mails()] == [f"<{_sent_id(stand, 'c-1')}@shop.example>"]
    assert stand.writer.events("c-1") == ["failed tier_changed/email refused", "sent benefit_unlocked/email"]


async def test_a_mail_whose_answer_is_lost_is_sent_again_with_the_same_id_and_counted(
    stand: Stand, server: MailServer
) -> None:
    server.at_data = [""]  # it takes the mail, and hangs up
    before = repeats("unsure")
    await moved(stand, 1)
    async with stand.runs():
        await until(lambda: empty(stand))
    assert [mail["Message-ID"] for mail in server.mails()] == [f"<{_sent_id(stand, 'c-1')}@shop.example>"] * 2
    assert repeats("unsure") == before + 1
    assert stand.writer.events("c-1") == ["sent tier_changed/email"]


async def test_who_has_no_address_any_more_is_accounted_for(stand: Stand, server: MailServer) -> None:
    await moved(stand, 1)
    stand.profile.addresses.clear()
    async with stand.runs():
        await until(lambda: empty(stand))
    assert server.mails() == []
    assert stand.writer.events("c-1") == ["suppressed tier_changed/email no_address"]


async def test_a_channel_that_is_not_configured_is_accounted_for_at_once(stand: Stand) -> None:
    await stand.writer.say("c-1", preferences(known="push"), tier("bronze", "silver", f"{when()[:10]}T12:00:00Z"))
    async with stand.runs() as sender:
        await until(lambda: empty(stand))
        assert sender.status() == {"email": "on", "push": "off", "sms": "on"}
    assert stand.writer.events("c-1") == ["suppressed tier_changed/push not_configured"]


async def test_while_profile_is_away_messages_wait(stand: Stand, server: MailServer, profile: Profile) -> None:
    profile.away = True
    await moved(stand, 1)
    async with stand.runs():
        await until(lambda: profile.asked >= 2)
        assert [document["status"] for document in await stand.documents()] == ["queued"]
        profile.away = False
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1


async def test_a_gateway_that_hangs_holds_up_no_mail(stand: Stand, server: MailServer, gateway: Provider) -> None:
    gateway.answers = [Answer(hangs=True)] * 50
    await moved(stand, *range(AT_ONCE + 10))
    mails = await stand.documents()
    for mail in mails:
        other = mail | {"_id": f"{mail['_id']}-sms", "channel": "sms"}
        await stand.mongo.collection(DELIVERIES).insert_one(other)
        stand.profile.addresses[mail["customer"]]["sms"] = "+4930123456"
    async with stand.runs() as sender:
        await until(lambda: len(server.mails()) == AT_ONCE + 10)
        await until(lambda: len(gateway.requests) == AT_ONCE)
        await asyncio.sleep(0.3)
        taken = [each for each in await stand.documents() if each["status"] == "sending"]
        assert len(taken) == len(gateway.requests) == AT_ONCE
        for task in sender.lines["sms"].flying.values():
            task.cancel()


async def test_a_sender_that_stops_begins_nothing_new(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "AT_ONCE", 1)
    monkeypatch.setattr(line, "FRESH", 60)
    await moved(stand, 1, 2, 3)
    server.holds.clear()
    async with stand.runs():
        await until(lambda: len(server.held) == 1)
        asyncio.get_running_loop().call_later(0.3, server.holds.set)
    assert len(server.mails()) == 1
    assert [each["status"] for each in await stand.documents()] == ["queued", "queued"]


async def test_an_address_that_was_read_a_while_ago_is_read_again_before_it_is_used(
    stand: Stand, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "AT_ONCE", 1)
    monkeypatch.setattr(line, "FRESH", 0.2)
    await moved(stand, 1, 2)
    server.holds.clear()
    async with stand.runs():
        await until(lambda: _has(stand, status="sending"))
        (waiting,) = [each["customer"] for each in await stand.documents() if each["status"] == "queued"]
        stand.profile.addresses[waiting] = {"email": "moved@example.org"}
        await asyncio.sleep(0.3)
        server.holds.set()
        await until(lambda: empty(stand))
    (first,) = {customer(1), customer(2)} - {waiting}
    assert [mail["To"] for mail in server.mails()] == [f"{first}@example.org", "moved@example.org"]


async def test_what_comes_while_it_is_on_its_way_does_not_send_it_twice(stand: Stand, server: MailServer) -> None:
    name = customer(1)
    stand.profile.addresses[name] = {"email": f"{name}@example.org"}
    moment = when(timedelta(seconds=10))
    await stand.writer.say(name, MAIL, unlocked("alpha", moment))
    server.holds.clear()
    async with stand.runs():
        await until(lambda: server.held)
        await stand.writer.say(name, unlocked("beta", moment))
        stand.writer.away = True
        server.holds.set()
        await until(lambda: len(server.mails()) == 1)
        await asyncio.sleep(0.3)
        stand.writer.away = False
        await until(lambda: empty(stand))
    assert len(server.mails()) == 1
    assert stand.writer.events(name) == ["sent benefit_unlocked/email"]
    assert [item["reason"] for item in _open(stand, name)] == ["cap"]


async def test_no_address_and_no_name_is_left_behind(
    stand: Stand, server: MailServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.at_rcpt = ["550 5.1.1 no such user"]
    await moved(stand, 1)
    async with stand.runs():
        await until(lambda: empty(stand))
    out = "".join(capfd.readouterr()) + repr(stand.writer.told) + repr(stand.writer.customers["c-1"].log)
    assert "example.org" not in out.replace("ref-c-1@example.org", "")
    assert "Ada" not in out


def _sent_id(stand: Stand, name: str) -> str:
    """The id of the one message that was sent to a customer."""
    facts = [entry.fact for entry in stand.writer.customer(name).log]
    (found,) = [fact for fact in facts if isinstance(fact, NotificationSent)]
    return found.notification_id


def _open(stand: Stand, name: str) -> list[dict[str, Any]]:
    return open_items(stand.writer.customer(name).state)


async def _status(stand: Stand, status: str) -> bool:
    return [document["status"] for document in await stand.documents()] == [status]


async def _has(stand: Stand, **fields: Any) -> bool:
    return any(fields.items() <= document.items() for document in await stand.documents())
