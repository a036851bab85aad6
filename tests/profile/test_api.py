"""Profile's calls: what they show, to whom, and what they send to the writer.

The customer is kept in memory here, as in the tests of the rules; reader, writer and keys of the runtime run in the
tests of the system.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.profile import api, bodies, rules, views
from services.profile.commands import COMMANDS
from services.profile.rules import State
from services.profile.state import PURPOSES
from shared.http.app import make_app
from shared.http.commands import Answer, Stored
from shared.http.limits import Limits
from shared.http.probes import Probes
from shared.http.reads import Head, Logged
from shared.http.tokens import Guard
from shared.rulebook.refused import Refused
from shared.runtime.log import encode, rfc3339, stored, written
from shared.runtime.rules import Command
from shared.sealing import Sealer
from tests.http.stand import LOCAL, bearer, problem, state_since
from tests.profile.world import (
    CUSTOMER,
    EMAIL,
    FIELDS,
    PHONE,
    WHOLE,
    Customer,
    at,
    crm,
    notified,
    programme_of,
    terms,
    tick,
    wish_to_be_forgotten,
)

MINE, STAFF, OPS, POS = bearer("customer", sub=CUSTOMER), bearer("staff"), bearer("ops"), bearer("pos")
URL = f"/customers/{CUSTOMER}"
PLACE = 7


class Kept:
    """One customer: their reader, their writer, and the ring with their key."""

    partitions = 12

    def __init__(self) -> None:
        self.customer = Customer(programme_of(terms()))
        self.sent: list[Mapping[str, Any]] = []
        self.stored: dict[str, Stored] = {}

    def partition(self, customer_id: str) -> int:
        return PLACE

    async def send(self, command: Mapping[str, Any], wait: float) -> Stored:
        if command["command_id"] in self.stored:
            return self.stored[command["command_id"]]
        self.sent.append(command)
        kind, customer_id = command["type"], command["customer_id"]
        body = COMMANDS[kind].validate_json(json.dumps(command))
        message = Command(command["command_id"], kind, customer_id, command["sender"], body)
        answered = self._take(message) if customer_id == CUSTOMER else Answer(404, {"type": "not-found"})
        found = Stored(command["sender"], command["fingerprint"], answered)
        return self.stored.setdefault(command["command_id"], found)

    def _take(self, message: Command) -> Answer:
        try:
            self.customer.take(message)
        except Refused as refusal:
            errors = [{"field": field, "reason": reason} for field, reason in refusal.errors]
            return Answer(422, {"type": "validation", "errors": errors})
        assert self.customer.reply is not None
        return Answer(self.customer.reply.status, self.customer.reply.body)

    async def find(self, command_id: str) -> Stored | None:
        return self.stored.get(command_id)

    async def head(self, customer_id: str) -> Head[State]:
        state = self.customer.state
        if customer_id != CUSTOMER or not self.customer.log:
            return Head(None, 0, self.customer.tick)
        return Head(state, state.version, self.customer.tick, len(self.customer.log))

    async def since(self, customer_id: str, version: int) -> State | None:
        return state_since(rules, self.customer.log, customer_id, version) if customer_id == CUSTOMER else None

    async def states(self, customer_ids: Sequence[str]) -> dict[str, State]:
        return {each: state for each in customer_ids if (state := (await self.head(each)).state) is not None}

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> list[Logged]:
        documents: list[Logged] = []
        version = 0
        for revision, entry in enumerate(self.customer.log if customer_id == CUSTOMER else [], 1):
            version += entry.public
            value = encode(entry, CUSTOMER, version if entry.public else 0, rfc3339(entry.occurred_at))
            entries = [stored(written(value, entry.public, entry.memo, None))]
            documents.append(Logged(revision, [value] if entry.public else [], entries))
        return [each for each in reversed(documents) if before_rev is None or each.revision < before_rev][:limit]

    async def view(self, collection: str, identity: str) -> dict[str, Any] | None:
        return self.customer.views.get((collection, identity))

    async def totals(self) -> dict[str, int]:
        return self.customer.totals

    async def of(self, customer_id: str) -> Sealer | None:
        return self.customer.sealer if customer_id == CUSTOMER and self.customer.log else None

    async def of_all(self, customers: Iterable[str]) -> dict[str, Sealer]:
        return {customer: sealer for customer in customers if (sealer := await self.of(customer))}


def app(kept: Kept) -> FastAPI:
    guard = Guard(LOCAL, "perkstream", "perkstream", Limits(burst=10**9))
    fine = Probes(live=lambda: (True, {}), ready=lambda: (True, {}))
    made = make_app("profile", guard, fine, [api.routes(kept, lambda: kept.customer.programme)], kept)
    made.state.sealers = kept
    return made


@pytest.fixture
def kept() -> Kept:
    found = Kept()
    found.customer.take(crm("2010-12-01", {"email": EMAIL}, name="Anna", locale="de"))
    return found


@pytest.fixture
async def client(kept: Kept) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(kept)), base_url="http://profile") as opened:
        yield opened


async def test_the_profile_is_shown_to_its_customer_in_clear(client: httpx.AsyncClient):
    answer = await client.get(f"{URL}/profile", headers=MINE)
    assert answer.json() == {
        "customer_id": CUSTOMER,
        "fields": {"email": EMAIL, "phone": None, "birthday": None, "address": None},
        "name": "Anna",
        "locale": "de",
        "time_zone": "Europe/Berlin",
        "percent": 25,
        "complete": False,
        "missing": [
            {
                "field": field,
                "unlocks": [unlocks],
                "label": {"en": f"The {field}", "de": f"Das {field}", "ru": f"Это {field}"},
                "kind": kind,
            }
            for field, unlocks, kind in (
                ("phone", "till_reminder", "phone"),
                ("birthday", "birthday_gift", "date"),
                ("address", "catalogue", "text"),
            )
        ],
        "reminders": False,
        "channels": {
            "email": {"known": True, "on": True},
            **{name: {"known": False, "on": False} for name in ("sms", "push", "telegram")},
        },
        "consents": {name: {"granted": False, "text": None, "at": None} for name in PURPOSES},
        "version": 3,
    }
    assert answer.headers["etag"] == '"3"'
    known = {**MINE, "If-None-Match": '"3"'}
    assert (await client.get(f"{URL}/profile", headers=known)).status_code == 304


async def test_the_tag_changes_with_any_value_that_is_shown(client: httpx.AsyncClient):
    seen = {(await client.get(f"{URL}/profile", headers=MINE)).headers["etag"]}
    for body in (
        {"fields": {"email": "b@example.org"}},
        {"name": "Berta"},
        {"locale": None},
        {"fields": {"email": None}},
    ):
        await client.patch(f"{URL}/profile", headers=MINE, json=body)
        seen.add((await client.get(f"{URL}/profile", headers=MINE)).headers["etag"])
    for granted in (True, False):
        await client.put(f"{URL}/consents/marketing", headers=MINE, json={"granted": granted, "text": "1"})
        seen.add((await client.get(f"{URL}/profile", headers=MINE)).headers["etag"])
    assert len(seen) == 7


async def test_what_the_programme_changes_is_sent_although_the_version_stays(kept: Kept, client: httpx.AsyncClient):
    known = {**MINE, "If-None-Match": (await client.get(f"{URL}/profile", headers=MINE)).headers["etag"]}
    colour = terms(2, "2011-01-01", fields=FIELDS | {"colour": "text"})
    kept.customer.programme = programme_of(terms(), colour)
    kept.customer.take(tick("2010-12-31"))
    assert (await client.get(f"{URL}/profile", headers=known)).status_code == 304
    kept.customer.take(tick("2011-01-01"))
    answer = await client.get(f"{URL}/profile", headers=known)
    assert answer.json()["fields"]["colour"] is None
    assert answer.headers["etag"] == known["If-None-Match"] == f'"{answer.json()["version"]}"'


async def test_what_a_note_changes_is_exported_although_the_version_stays(kept: Kept, client: httpx.AsyncClient):
    known = {**MINE, "If-None-Match": (await client.get(f"{URL}/export", headers=MINE)).headers["etag"]}
    assert (await client.get(f"{URL}/export", headers=known)).status_code == 304
    kept.customer.take(crm("2010-12-02", {"email": EMAIL}))  # the same, confirmed
    answer = await client.get(f"{URL}/export", headers=known)
    assert answer.json()["values"][0]["at"] == "2010-12-02T12:00:00Z"
    assert answer.headers["etag"] == known["If-None-Match"]
    assert (await client.get(f"{URL}/profile", headers=known)).status_code == 304


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
async def test_a_patch_answers_with_the_state_after_it(client: httpx.AsyncClient, media_type: str):
    body = json.dumps({"fields": WHOLE, "name": None})
    answer = await client.patch(f"{URL}/profile", headers={**MINE, "Content-Type": media_type}, content=body)
    assert answer.status_code == 200
    assert (answer.json()["percent"], answer.json()["missing"], answer.json()["name"]) == (100, [], None)
    assert answer.json() == (await client.get(f"{URL}/profile", headers=MINE)).json()


async def test_values_leave_the_process_sealed(kept: Kept, client: httpx.AsyncClient):
    await client.patch(f"{URL}/profile", headers=MINE, json={"fields": {"phone": PHONE}, "name": "MARKED"})
    await client.put(f"{URL}/channels/email", headers=MINE, json={"on": True, "address": "marked@example.org"})
    assert [command["type"] for command in kept.sent] == ["EditProfile.v1", "SetChannel.v1"]
    for outside in (json.dumps(kept.sent), str(kept.stored), kept.customer.everything()):
        assert "arked" not in outside.lower()
        assert PHONE not in outside


async def test_a_refused_field_is_named_and_nothing_is_kept(client: httpx.AsyncClient):
    body = {"fields": {"phone": "12", "birthday": "1980-03-17", "colour": "blue"}}
    answer = await client.patch(f"{URL}/profile", headers=MINE, json=body)
    assert problem(answer, 422, "validation")["errors"] == [
        {"field": "fields.phone", "reason": "is no phone number with country code, such as +49 30 123456"},
        {"field": "fields.colour", "reason": "is no field of the profile"},
    ]
    assert (await client.get(f"{URL}/profile", headers=MINE)).json()["fields"]["birthday"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fields": {"phone": 5}}, "fields.phone"),
        ({"fields": None}, "fields"),
        ({"percent": 100}, "percent"),
        ({"name": "x" * 501}, "name"),
        ([], "body"),
    ],
)
async def test_a_patch_of_another_shape_names_what_is_wrong(client: httpx.AsyncClient, body: Any, field: str):
    answer = await client.patch(f"{URL}/profile", headers=MINE, json=body)
    assert [error["field"] for error in problem(answer, 422, "validation")["errors"]] == [field]


async def test_the_same_key_gets_the_first_answer_and_another_body_a_conflict(client: httpx.AsyncClient):
    keyed = {**MINE, "Idempotency-Key": "k"}
    first = await client.patch(f"{URL}/profile", headers=keyed, json={"name": "Berta"})
    await client.patch(f"{URL}/profile", headers=MINE, json={"name": "Clara"})
    assert (await client.patch(f"{URL}/profile", headers=keyed, json={"name": "Berta"})).json() == first.json()
    problem(await client.patch(f"{URL}/profile", headers=keyed, json={"name": "Dora"}), 409, "conflict")


async def test_switches_and_consents_answer_with_the_profile(client: httpx.AsyncClient):
    answer = await client.put(f"{URL}/reminders", headers=MINE, json={"on": True})
    assert answer.json()["reminders"] is True
    answer = await client.put(f"{URL}/channels/email", headers=MINE, json={"on": False})
    assert answer.json()["channels"]["email"] == {"known": True, "on": False}
    answer = await client.put(f"{URL}/channels/sms", headers=MINE, json={"on": True, "address": "x"})
    assert problem(answer, 422, "validation")["errors"][0]["field"] == "address"
    problem(await client.put(f"{URL}/channels/pigeon", headers=MINE, json={"on": True}), 422, "validation")
    answer = await client.put(f"{URL}/consents/programme", headers=MINE, json={"granted": True})
    assert problem(answer, 422, "validation")["errors"][0]["field"] == "text"
    answer = await client.put(f"{URL}/consents/programme", headers=MINE, json={"granted": True, "text": "2011-1"})
    assert answer.json()["consents"]["programme"]["granted"] is True
    answer = await client.put(f"{URL}/consents/programme", headers=MINE, json={"granted": False})
    assert answer.json()["consents"]["programme"]["granted"] is False


async def test_a_card_is_issued_found_at_the_till_and_revoked(client: httpx.AsyncClient):
    issued = await client.post(f"{URL}/cards", headers=MINE)
    assert issued.status_code == 201
    card = f"/cards/{issued.json()['card_id']}"
    assert (await client.get(card, headers=POS)).json() == {"customer_id": CUSTOMER}
    problem(await client.get(card, headers=MINE), 403, "forbidden")
    problem(await client.delete(card, headers=bearer("customer", sub="c-2")), 404, "not-found")
    problem(await client.delete(card, headers=POS), 403, "forbidden")
    assert (await client.delete(card, headers=MINE)).status_code == 204
    problem(await client.get(card, headers=POS), 404, "not-found")
    problem(await client.delete(card, headers=STAFF), 404, "not-found")


async def test_staff_revokes_any_card(client: httpx.AsyncClient):
    card = (await client.post(f"{URL}/cards", headers=MINE)).json()["card_id"]
    assert (await client.delete(f"/cards/{card}", headers=STAFF)).status_code == 204


async def test_contacts_open_addresses_for_the_notifier_alone(kept: Kept, client: httpx.AsyncClient):
    wanted = {"customer_ids": [CUSTOMER, "c-2", CUSTOMER]}
    answer = await client.post("/contacts", headers=bearer("contacts"), json=wanted)
    (item,) = answer.json()["items"]
    ref = views.contact(CUSTOMER, kept.customer.state)["channels"]["email"]["ref"]
    assert item == {
        "customer_id": CUSTOMER,
        "name": "Anna",
        "channels": {"email": {"address": EMAIL, "ref": ref}},
    }
    for other in (MINE, STAFF, OPS, POS):
        problem(await client.post("/contacts", headers=other, json=wanted), 403, "forbidden")
    many = {"customer_ids": [f"c-{number}" for number in range(501)]}
    problem(await client.post("/contacts", headers=bearer("contacts"), json=many), 422, "validation")


async def test_the_export_holds_everything(client: httpx.AsyncClient):
    await client.patch(f"{URL}/profile", headers=MINE, json={"fields": {"phone": PHONE}})
    card = (await client.post(f"{URL}/cards", headers=MINE)).json()["card_id"]
    held = (await client.get(f"{URL}/export", headers=MINE)).json()
    values = {one["field"]: (one["value"], one["said_by"]) for one in held["values"]}
    assert values == {
        "fields.email": (EMAIL, "crm"),
        "fields.phone": (PHONE, "customer"),
        "name": ("Anna", "crm"),
        "locale": ("de", "crm"),
    }
    assert held["cards"] == [card]
    assert [event["version"] for event in held["events"]] == [7, 6, 5, 4, 3, 2, 1]
    assert bodies.Export.model_validate(held).version == 7


async def test_the_export_tells_what_was_before_and_what_it_came_of(kept: Kept, client: httpx.AsyncClient):
    other = "berta@example.org"
    await client.patch(f"{URL}/profile", headers=MINE, json={"fields": {"email": other}, "locale": "en"})
    (edited,) = [command for command in kept.sent if command["type"] == "EditProfile.v1"]
    kept.customer.take(crm("2010-12-03", {"email": EMAIL, "phone": "12"}, name=None))
    history = (await client.get(f"{URL}/export", headers=MINE)).json()["history"]

    def values(change: dict[str, Any]) -> dict[str, tuple[str | None, bool]]:
        return {each["field"]: (each["value"], each["until"] is None) for each in change["values"]}

    refused, cleared, edit, first = history
    assert refused["refused"].startswith("fields.phone: is no phone number")
    assert (refused["type"], refused["version"], refused["values"]) == ("ValuesRefused.v1", None, [])
    assert values(cleared) == {"name": (None, True)}  # and of the address, the customer's is newer
    assert values(edit) == {"fields.email": (other, True), "locale": ("en", True)}
    assert values(first) == {"fields.email": (EMAIL, False), "locale": ("de", False), "name": ("Anna", False)}
    assert edit["cause"] == {"type": "EditProfile.v1", "id": edited["command_id"]}
    assert first["cause"] == {"type": "CustomerUpserted.v1", "id": "2010-12-01T12:00:00Z"}
    before = {each["field"]: each for each in first["values"]}["fields.email"]
    assert (before["at"], before["said_by"]) == ("2010-12-01T12:00:00Z", "crm")
    assert before["until"] == next(each for each in edit["values"] if each["field"] == "fields.email")["at"]


async def test_the_export_has_more_consents_and_switches_than_a_state_holds(client: httpx.AsyncClient):
    for n in range(60):
        said = {"granted": n % 2 == 0, "text": f"2011-{n}"}
        assert (await client.put(f"{URL}/consents/marketing", headers=MINE, json=said)).is_success
    await client.put(f"{URL}/channels/push", headers=MINE, json={"on": False})
    await client.put(f"{URL}/reminders", headers=MINE, json={"on": True})
    history = (await client.get(f"{URL}/export", headers=MINE)).json()["history"]
    assert (history[0]["reminders"], history[1]["switched_off"]) == (True, ["push"])
    texts = [change["consents"]["marketing"]["text"] for change in history if change["consents"]]
    assert texts == [f"2011-{n}" for n in reversed(range(60))]


async def test_an_export_breaks_off_where_the_key_goes_meanwhile(
    kept: Kept, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    keys = [{CUSTOMER: kept.customer.sealer}]  # for what holds now; none for the history

    async def of_all(customers: Iterable[str]) -> dict[str, Any]:
        return keys.pop() if keys else {}

    monkeypatch.setattr(kept, "of_all", of_all)
    with pytest.raises(RuntimeError, match="response already started"):
        await client.get(f"{URL}/export", headers=MINE)


async def test_an_erased_customer_is_gone(kept: Kept, client: httpx.AsyncClient):
    receipt = (await client.delete(URL, headers=MINE)).json()["receipt_id"]
    assert receipt == kept.customer.state.erasure.receipt_id  # type: ignore[union-attr]
    contacts = {"customer_ids": [CUSTOMER]}
    assert len((await client.post("/contacts", headers=bearer("contacts"), json=contacts)).json()["items"]) == 1
    for _ in range(2):
        problem(await client.get(f"{URL}/profile", headers=MINE), 410, "erased")
        problem(await client.get(f"{URL}/export", headers=STAFF), 410, "erased")
        problem(await client.patch(f"{URL}/profile", headers=MINE, json={"name": "x"}), 410, "erased")
        problem(await client.put(f"{URL}/reminders", headers=MINE, json={"on": True}), 410, "erased")
        problem(await client.delete(URL, headers=MINE), 410, "erased")
        kept.customer.take(notified())
    assert (await client.post("/contacts", headers=bearer("contacts"), json=contacts)).json() == {"items": []}


async def test_an_unknown_customer_is_found_nowhere(client: httpx.AsyncClient):
    url = "/customers/c-2"
    for part in ("profile", "export"):
        problem(await client.get(f"{url}/{part}", headers=STAFF), 404, "not-found")
    for method, part, body in (
        ("PATCH", "/profile", {"fields": {"email": EMAIL}}),
        ("PUT", "/channels/email", {"on": True, "address": EMAIL}),
        ("PUT", "/reminders", {"on": True}),
        ("POST", "/cards", None),
        ("DELETE", "", None),
    ):
        problem(await client.request(method, url + part, headers=STAFF, json=body), 404, "not-found")


async def test_of_whom_only_the_notifier_spoke_nothing_is_known(kept: Kept, client: httpx.AsyncClient):
    kept.customer.state = rules.initial(CUSTOMER)
    problem(await client.get(f"{URL}/profile", headers=STAFF), 404, "not-found")
    problem(await client.patch(f"{URL}/profile", headers=STAFF, json={"name": "x"}), 404, "not-found")
    answer = await client.post("/contacts", headers=bearer("contacts"), json={"customer_ids": [CUSTOMER]})
    assert answer.json() == {"items": []}


async def test_somebody_elses_token_opens_nothing(client: httpx.AsyncClient):
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
    for method, part, body in calls:
        for other in (bearer("customer", sub="c-2"), POS, bearer("programme"), bearer("contacts"), bearer("")):
            problem(await client.request(method, URL + part, headers=other, json=body), 403, "forbidden")
        problem(await client.request(method, URL + part, json=body), 401, "unauthenticated")
        if method != "GET":
            problem(await client.request(method, URL + part, headers=OPS, json=body), 403, "forbidden")


async def test_the_notifier_switches_off_for_who_unsubscribes_and_no_more(client: httpx.AsyncClient):
    contacts = bearer("contacts")
    await client.put(f"{URL}/reminders", headers=MINE, json={"on": True})
    assert (await client.put(f"{URL}/reminders", headers=contacts, json={"on": False})).json()["reminders"] is False
    answer = await client.put(f"{URL}/channels/email", headers=contacts, json={"on": False})
    assert answer.json()["channels"]["email"] == {"known": True, "on": False}
    problem(await client.put(f"{URL}/reminders", headers=contacts, json={"on": True}), 403, "forbidden")
    for body in ({"on": True}, {"on": False, "address": "x@example.org"}):
        problem(await client.put(f"{URL}/channels/email", headers=contacts, json=body), 403, "forbidden")


async def test_completion_of_all_is_for_operators(client: httpx.AsyncClient):
    assert (await client.get("/completion", headers=OPS)).json() == {
        "customers": 1,
        "percent": [{"percent": 25, "customers": 1}],
        "missing": [{"field": field, "customers": 1} for field in ("address", "birthday", "phone")],
    }
    problem(await client.get("/completion", headers=MINE), 403, "forbidden")


async def test_what_stands_under_a_version_yet_to_come_is_shown_by_that_in_force(kept: Kept, client: httpx.AsyncClient):
    kept.customer.programme = programme_of(terms(), terms(2, "2011-01-01", fields={"email": "email"}, needs={}))
    assert len((await client.get(f"{URL}/profile", headers=MINE)).json()["fields"]) == 4
    kept.customer.tick = at("2011-01-02")
    assert (await client.get(f"{URL}/profile", headers=MINE)).json()["fields"] == {"email": EMAIL}


EVERYBODY = bearer("staff ops pos contacts")
SHOWN = Kept()
SHOWN.customer.take(crm("2010-12-01", WHOLE, name="Anna", consents={"programme": {"granted": True, "text": "1"}}))
schema = schemathesis.openapi.from_asgi("/openapi.json", app(SHOWN)).include(
    path_regex="^/(customers|cards|contacts|completion)"
)


@schema.parametrize()
@settings(max_examples=8, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_profile_keeps_to_its_description(case: Case):
    # Which values a field takes depends on its kind, which no schema of a map can say.
    case.call_and_validate(headers=EVERYBODY, excluded_checks=[positive_data_acceptance])


async def test_what_is_shown_of_a_customer_is_as_described():
    told = Kept()
    told.customer.take(crm("2010-12-01", WHOLE))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(told)), base_url="http://profile") as client:
        for part, model in (("profile", bodies.Profile), ("export", bodies.Export)):
            shown = (await client.get(f"{URL}/{part}", headers=OPS)).json()
            assert model.model_validate(shown).model_dump(mode="json") == shown


async def test_a_customer_erased_before_they_were_enrolled_is_gone():
    other = Kept()
    other.customer.take(wish_to_be_forgotten())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(other)), base_url="http://profile") as opened:
        problem(await opened.get(f"{URL}/profile", headers=STAFF), 410, "erased")
