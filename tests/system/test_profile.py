"""Profile in a running system: real servers, real processes, the CRM on one side and customers on the other.

The tests share the system's clock, which only goes forward: those that move it come last.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.cli import programme
from deploy.local.system import PROGRAMME
from deploy.local.tokens import sign
from shared.contracts.partition import partition_of
from shared.contracts.topics import CUSTOMERS, PURCHASES, commands_topic, events_topic
from tests.faults.waiting import until
from tests.system.people import PARTITIONS, Json, People, ago

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

BEGAN = datetime.now(UTC)
FIELDS = {"email": "anna@example.org", "phone": "+49 30 123456", "birthday": "1980-03-17", "address": "Lindenstr. 1"}
CONSENT = {"programme": {"granted": True, "text": "2026-1"}}


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["type"]) == (status, kind), answer.text
    return body


async def test_whom_the_crm_names_is_shown_with_what_is_missing_and_what_it_unlocks(people: People) -> None:
    problem(await people.own("GET", "p-1", "/profile"), 404, "not-found")
    fields = {name: FIELDS[name] for name in ("email", "birthday")}
    shown = await people.enrolled("p-1", fields=fields, name="Anna", locale="de", consents=CONSENT)
    assert shown["fields"] == {"email": "anna@example.org", "phone": None, "birthday": "1980-03-17", "address": None}
    assert (shown["name"], shown["locale"], shown["time_zone"]) == ("Anna", "de", "Europe/Berlin")
    assert (shown["percent"], shown["complete"], shown["version"]) == (50, False, 3)
    assert [(one["field"], one["unlocks"]) for one in shown["missing"]] == [
        ("phone", ["till_reminder"]),
        ("address", ["catalogue"]),
    ]
    assert shown["missing"][0]["label"] == {"en": "Phone number", "de": "Telefonnummer", "ru": "Номер телефона"}
    assert shown["consents"]["programme"]["granted"]
    assert shown["channels"]["email"] == {"known": True, "on": True}
    events = await people.events("p-1")
    assert [event["type"] for event in events] == [
        "CustomerEnrolled.v1",
        "PreferencesChanged.v1",
        "CompletionChanged.v1",
    ]


async def test_an_edit_is_answered_with_the_completion_after_it_and_read_back_the_same(people: People) -> None:
    await people.enrolled("p-2", fields={"email": "anna@example.org"})
    answer = await people.own("PATCH", "p-2", "/profile", {"fields": {"phone": "+49 30 123456"}, "name": "Anna"})
    assert answer.status_code == 200
    assert (answer.json()["percent"], answer.json()["fields"]["phone"]) == (50, "+4930123456")
    read = await people.own("GET", "p-2", "/profile")
    assert read.json() == answer.json()
    assert (await people.own("GET", "p-2", "/profile")).headers["ETag"] == f'"{read.json()["version"]}"'
    changed = [event for event in await people.events("p-2") if event["type"] == "ProfileChanged.v1"]
    assert [event["fields"] for event in changed] == [["fields.phone", "name"]]
    command = json.loads((await people.records(commands_topic("profile"), "p-2"))[-1].value)
    assert command["type"] == "EditProfile.v1"


async def test_what_is_known_is_not_sent_again_until_something_of_it_changes(people: People) -> None:
    await people.crm("p-9", occurred_at=ago(hours=2), fields={"email": "anna@example.org"})
    await people.shown("p-9", version=3)
    known = {"If-None-Match": '"3"'}

    async def status(part: str) -> int:
        answer = await people.call("GET", f"/customers/p-9/{part}", headers=known)
        assert answer.headers["ETag"] == '"3"'
        return answer.status_code

    assert [await status(part) for part in ("profile", "export")] == [304, 304]
    await people.crm("p-9", occurred_at=ago(hours=1), fields={"email": "anna@example.org"})

    async def noted() -> bool:
        return await status("export") == 200

    await until(noted, "the export to show when the value was confirmed", 30)
    assert await status("profile") == 304


async def test_a_refused_edit_names_every_field_and_nothing_of_it_is_kept(people: People) -> None:
    before = await people.enrolled("p-3", fields={"email": "anna@example.org"})
    body = {"fields": {"email": "nonsense", "phone": "12", "address": "Lindenstr. 1"}, "locale": "german"}
    answer = await people.own("PATCH", "p-3", "/profile", body)
    named = [error["field"] for error in problem(answer, 422, "validation")["errors"]]
    assert named == ["fields.email", "fields.phone", "locale"]
    assert await people.shown("p-3") == before
    odd = await people.own("PATCH", "p-3", "/profile", {"fields": {"phone": "12", "shoe_size": "39"}})
    named = [error["field"] for error in problem(odd, 422, "validation")["errors"]]
    assert named == ["fields.phone", "fields.shoe_size"]


async def test_the_later_of_an_edit_and_a_crm_record_wins_for_each_field(people: People) -> None:
    await people.enrolled("p-4", fields=FIELDS, name="Anna")
    await people.own("PATCH", "p-4", "/profile", {"fields": {"phone": "+49 30 999999"}, "name": None})
    old: Json = {"fields": {"phone": "+49 30 111111", "email": "berta@example.org"}, "name": "Berta"}
    await people.crm("p-4", occurred_at=ago(hours=1), **old)
    shown = await people.shown("p-4", fields=FIELDS | {"phone": "+4930999999", "email": "berta@example.org"})
    assert shown["name"] is None
    await people.crm("p-4", occurred_at=ago(hours=-1), fields={"phone": "+49 30 222222"})
    await people.shown("p-4", fields=FIELDS | {"phone": "+4930222222", "email": "berta@example.org"})


async def test_the_good_parts_of_a_crm_record_count_and_the_bad_ones_are_named_in_a_dead_letter(people: People) -> None:
    await people.crm("p-5", fields={"email": "anna@example.org", "birthday": "2999-01-01"}, time_zone="Berlin")
    shown = await people.shown("p-5")
    assert (shown["fields"]["email"], shown["fields"]["birthday"]) == ("anna@example.org", None)
    letter = await people.letter(CUSTOMERS, "fields.birthday: is no day")
    assert "time_zone: is no time zone" in letter["reason"]
    assert int(letter["partition"]) == partition_of("p-5", PARTITIONS)


async def test_a_crm_record_on_the_wrong_partition_finds_its_customer(people: People) -> None:
    wrong = (partition_of("p-6", PARTITIONS) + 1) % PARTITIONS
    await people.crm("p-6", partition=wrong, fields={"email": "anna@example.org"})
    await people.shown("p-6", percent=25)


async def test_a_card_is_found_at_the_till_until_it_is_revoked(people: People) -> None:
    await people.enrolled("p-7")
    issued = await people.own("POST", "p-7", "/cards")
    card = issued.json()["card_id"]
    assert issued.status_code == 201
    found = await people.call("GET", f"/cards/{card}", scope="pos")
    assert found.json() == {"customer_id": "p-7"}
    problem(await people.call("DELETE", f"/cards/{card}", scope="customer", customer="p-1"), 404, "not-found")
    assert (await people.call("DELETE", f"/cards/{card}", scope="customer", customer="p-7")).status_code == 204
    problem(await people.call("GET", f"/cards/{card}", scope="pos"), 404, "not-found")
    kinds = [event["type"] for event in await people.events("p-7")]
    assert kinds[-2:] == ["CardIssued.v1", "CardRevoked.v1"]


async def test_reminders_channels_and_consents_are_switched_and_told(people: People) -> None:
    await people.enrolled("p-8", fields={"email": "anna@example.org"}, consents=CONSENT)
    assert (await people.own("PUT", "p-8", "/reminders", {"on": True})).json()["reminders"]
    said = {"on": True, "address": "+49 30 123456"}
    sms = (await people.own("PUT", "p-8", "/channels/sms", said)).json()
    assert sms["channels"]["sms"] == {"known": True, "on": True}
    assert sms["fields"]["phone"] == "+4930123456"
    await people.own("PUT", "p-8", "/channels/email", {"on": False})
    await people.own("PUT", "p-8", "/consents/marketing", {"granted": True, "text": "2026-2"})
    last = await people.own("PUT", "p-8", "/consents/programme", {"granted": False})
    assert last.json()["consents"]["programme"]["granted"] is False
    preferences = [event for event in await people.events("p-8") if event["type"] == "PreferencesChanged.v1"][-1]
    assert preferences["reminders"]
    assert preferences["channels"]["email"] == {"known": True, "on": False}
    assert preferences["consents"] == {"programme": False, "marketing": True, "profiling": False}


async def test_the_export_holds_every_value_and_every_consent_ever_given(people: People) -> None:
    export = (await people.own("GET", "p-8", "/export")).json()
    values = {each["field"]: (each["value"], each["said_by"]) for each in export["values"]}
    assert values == {"fields.email": ("anna@example.org", "crm"), "fields.phone": ("+4930123456", "customer")}
    programme = export["consents"]["programme"]
    assert [(each["granted"], each["said_by"]) for each in programme] == [(True, "crm"), (False, "customer")]
    assert len(export["events"]) == export["version"] == (await people.shown("p-8"))["version"]


async def test_the_export_tells_what_was_before_however_much_that_is(people: People) -> None:
    await people.enrolled("p-10", fields={"email": "first@example.org"}, name="Anna")
    await people.own("PATCH", "p-10", "/profile", {"name": "Berta"})
    began, many = datetime.now(UTC), 3_000
    for n in range(many):
        said = {"email": f"e{n}@example.org"}
        await people.crm("p-10", occurred_at=(began + timedelta(seconds=n + 1)).isoformat(), fields=said)
    await people.shown("p-10", fields=dict.fromkeys(FIELDS) | {"email": f"e{many - 1}@example.org"})
    export = (await people.own("GET", "p-10", "/export")).json()
    values = [value for change in export["history"] for value in change["values"]]
    emails = [value for value in values if value["field"] == "fields.email"]
    assert [value["value"] for value in reversed(emails)] == [
        "first@example.org",
        *(f"e{n}@example.org" for n in range(many)),
    ]
    assert [value["until"] for value in emails] == [None, *(value["at"] for value in emails[:-1])]
    names = [(value["value"], value["said_by"], value["until"] is None) for value in values if value["field"] == "name"]
    assert names == [("Berta", "customer", True), ("Anna", "crm", False)]
    assert len(export["events"]) == export["version"] > many


async def test_the_notifier_gets_addresses_with_a_token_of_its_own_and_nobody_else_does(people: People) -> None:
    asked = {"customer_ids": ["p-8", "p-4", "nobody"]}
    answer = await people.call("POST", "/contacts", asked, scope="contacts")
    first, second = answer.json()["items"]
    assert (first["customer_id"], first["channels"]["email"]["address"]) == ("p-8", "anna@example.org")
    assert (second["customer_id"], second["channels"]["sms"]["address"]) == ("p-4", "+4930222222")
    for scope in ("customer", "staff", "ops", "pos"):
        problem(await people.call("POST", "/contacts", asked, scope=scope, customer="p-8"), 403, "forbidden")


async def test_a_token_opens_its_customer_alone_and_bad_ones_open_nothing(people: People) -> None:
    key = people.stack.keys.signing_key
    claims = {"iss": "perkstream", "aud": "perkstream", "sub": "p-4", "scope": "customer", "exp": 2**32}

    def signed(**changed: Any) -> str:
        return jwt.encode({"alg": "ES256", "kid": key["kid"]}, claims | changed, ECKey.import_key(key))

    unsigned = "".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") + "."
        for part in ({"alg": "none"}, claims)
    )
    assert (await people.call("GET", "/customers/p-4/profile", token=signed())).status_code == 200
    calls = [
        ("GET", "/profile", None),
        ("PATCH", "/profile", {"name": "x"}),
        ("PUT", "/reminders", {"on": True}),
        ("PUT", "/channels/email", {"on": True}),
        ("PUT", "/consents/marketing", {"granted": False}),
        ("GET", "/export", None),
        ("POST", "/cards", None),
        ("DELETE", "", None),
    ]
    before = await people.shown("p-4")
    for method, path, body in calls:
        problem(
            await people.call(method, f"/customers/p-4{path}", body, scope="customer", customer="p-1"), 403, "forbidden"
        )
        bad = ["", sign(key, "customer", "p-4", lifetime_s=-60), signed(aud="others"), signed(iss="others"), unsigned]
        for token in bad:
            answer = await people.call(method, f"/customers/p-4{path}", body, token=token)
            problem(answer, 401, "unauthenticated")
    assert await people.shown("p-4") == before


async def test_an_operator_sees_how_complete_profiles_are(people: People) -> None:
    found = (await people.call("GET", "/completion", scope="ops")).json()
    customers = {identity.split("/")[1] for identity in await people.profile["log"].distinct("_id")}
    shown = [await people.shown(customer) for customer in customers]
    assert found["customers"] == len(shown) >= 8
    counted = {each["percent"]: each["customers"] for each in found["percent"]}
    assert counted == {n: [one["percent"] for one in shown].count(n) for n in {one["percent"] for one in shown}}
    lacking = [one["field"] for each in shown for one in each["missing"]]
    assert {each["field"]: each["customers"] for each in found["missing"]} == {
        name: lacking.count(name) for name in set(lacking)
    }


async def test_who_is_erased_is_gone_at_once_and_the_key_once_the_receipt_was_sent(people: People) -> None:
    await people.enrolled("e-1", fields=FIELDS)
    card = (await people.own("POST", "e-1", "/cards")).json()["card_id"]
    await people.own("PATCH", "e-1", "/profile", {"name": "Anna"})
    receipt = (await people.own("DELETE", "e-1")).json()["receipt_id"]
    for method, path, body in (("GET", "/profile", None), ("PATCH", "/profile", {"name": "x"}), ("DELETE", "", None)):
        problem(await people.own(method, "e-1", path, body), 410, "erased")
    problem(await people.call("GET", f"/cards/{card}", scope="pos"), 404, "not-found")

    await people.says("e-1", "ErasureAccepted.v1")
    await _erasure_known_to_turnover(people, "e-1")
    await people.buys("e-1", "e-1-p")
    await people.letter(PURCHASES, "customer_id: was erased", "turnover")

    assert await _keys(people, "e-1") == 1, "the receipt needs an address"
    await people.send(events_topic("notifier"), "e-1", _receipt_sent("e-1"))
    assert (await people.says("e-1", "CustomerErased.v1"))["receipt_id"] == receipt
    assert await _keys(people, "e-1") == 0
    assert await people.profile["answers"].count_documents({"customer": "e-1"}) == 0
    await people.crm("e-1", fields=FIELDS)
    await people.letter(CUSTOMERS, "erased")
    problem(await people.own("GET", "e-1", "/profile"), 410, "erased")
    assert (await people.call("POST", "/contacts", {"customer_ids": ["e-1"]}, scope="contacts")).json() == {"items": []}


async def test_an_erasure_that_the_crm_asks_for_is_done_a_day_later_though_no_receipt_was_sent(people: People) -> None:
    await people.enrolled("e-2", fields=FIELDS)
    asked = {"type": "CustomerErasureRequested.v1", "customer_id": "e-2", "occurred_at": BEGAN.isoformat()}
    await people.send(CUSTOMERS, "e-2", asked)
    await people.answers("e-2", 410)
    await people.settled(BEGAN + timedelta(hours=23))
    assert await _keys(people, "e-2") == 1
    await people.settled(BEGAN + timedelta(hours=24))
    assert await _keys(people, "e-2") == 0
    assert [event["type"] for event in await people.events("e-2")][-2:] == ["ErasureAccepted.v1", "CustomerErased.v1"]


async def test_a_birthday_is_announced_on_its_day_without_the_date(people: People) -> None:
    day = (BEGAN + timedelta(days=3)).astimezone(ZoneInfo("Europe/Berlin")).date()  # where the programme is
    await people.enrolled("b-1", fields={"birthday": f"1980-{day:%m-%d}"})
    await people.settled(BEGAN + timedelta(days=2))
    assert "BirthdayCame.v1" not in [event["type"] for event in await people.events("b-1")]
    await people.settled(BEGAN + timedelta(days=4))
    came = await people.says("b-1", "BirthdayCame.v1")
    assert came["year"] == day.year
    assert "1980" not in json.dumps(came)


async def test_a_new_version_of_the_programme_recomputes_everybody_beside_the_stream(
    people: People, tmp_path: Path
) -> None:
    await people.enrolled("v-1", fields=FIELDS)
    await people.crm("v-1", fields={"shoe_size": "39"})
    await people.letter(CUSTOMERS, "fields: has a name that is no field of the profile")
    terms = yaml.safe_load(PROGRAMME.read_text())
    label = {"en": "Shoe size", "de": "Schuhgröße", "ru": "Размер обуви"}
    terms["profile"]["fields"].append({"id": "shoe_size", "kind": "text", "label": label})
    needs = {"id": "fitting", "label": label, "kind": "perk", "requires": {"fields": ["shoe_size"]}}
    begins = BEGAN + timedelta(days=6)
    terms |= {"version": 2, "effective_from": begins.date(), "benefits": [*terms["benefits"], needs]}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(terms, allow_unicode=True))
    await programme.publish(people.stack.kafka_options(), tmp_path / "two.yaml")
    assert (await people.shown("v-1"))["percent"] == 100

    await people.tick(begins + timedelta(days=1))
    shown = await people.shown("v-1", percent=80)
    assert shown["missing"] == [{"field": "shoe_size", "unlocks": ["fitting"], "label": label, "kind": "text"}]
    changed = await people.says("v-1", "CompletionChanged.v1")
    assert (changed["percent"], changed["programme_version"]) == (80, 2)
    await people.shown("p-1", percent=40)

    told = await people.perkstream("dead-letters", "profile", "retry")
    assert "retried" in told
    shown = await people.shown("v-1", percent=100)
    assert shown["fields"]["shoe_size"] == "39"


async def test_what_is_stored_is_what_the_log_folds_to(people: People) -> None:
    assert "0 drifted" in await people.perkstream("rebuild", "profile", "--compare")
    ready = (await people.call("GET", "/readyz", token="")).json()
    assert ready["details"]["blocked"] == {}


async def _keys(people: People, customer: str) -> int:
    return await people.profile["keys"].count_documents({"_id": f"{partition_of(customer, PARTITIONS):02d}/{customer}"})


async def _erasure_known_to_turnover(people: People, customer: str) -> None:
    place = f"{partition_of(customer, PARTITIONS):02d}/{customer}/"

    noted = {"_id": {"$gte": place, "$lt": f"{place}~"}, "entries.note": {"$regex": "ErasureNoted"}}

    async def known() -> bool:
        return bool(await people.mongo["turnover"]["log"].count_documents(noted))

    await until(known, f"turnover to hear of the erasure of {customer}", 30)


def _receipt_sent(customer: str) -> dict[str, Any]:
    """An event of the notifier, which does not run here."""
    return {
        "type": "NotificationSent.v1", "customer_id": customer, "version": 1, "occurred_at": ago(),
        "recorded_at": ago(), "cause": {"type": "ErasureAccepted.v1", "id": "x"}, "programme_version": None,
        "notification_id": "n-1", "template": "erasure_receipt", "channel": "email", "reason": None, "attempts": 1,
    }  # fmt: skip
