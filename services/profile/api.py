"""The HTTP calls of profile: reads open what is sealed, and writes are sealed before they go to the one writer."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from services.profile import history, views
from services.profile.bodies import (
    Card,
    CardOwner,
    ChannelSetting,
    Completions,
    ConsentSetting,
    Contacts,
    ContactsWanted,
    Export,
    Patch,
    Profile,
    Receipt,
    RemindersSetting,
)
from services.profile.rules import State
from services.profile.state import ADDRESSES, LOCALE, NAME, TIME_ZONE
from services.profile.values import BadValueError, checked
from shared.contracts.profile import ChannelName, Purpose
from shared.http.commands import ACCEPTED, Send
from shared.http.problems import Problem, invalid
from shared.http.reads import (
    STEP,
    CustomerId,
    Head,
    IfNoneMatch,
    Logged,
    Reader,
    reply,
    same,
    steady,
    streamed,
    unchanged,
)
from shared.http.sealed import Sealers, opened
from shared.http.tokens import Anybody, Principal, allow
from shared.rulebook.programme import Programme, Version
from shared.rulebook.sealed import cleared

Reading = Annotated[Principal, allow("customer", "staff", "ops")]
Writing = Annotated[Principal, allow("customer", "staff")]
Switching = Annotated[Principal, allow("customer", "staff", "contacts")]
Till = Annotated[Principal, allow("pos", "staff", "ops")]
_SAME: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "Same"}}
CardId = Annotated[str, Path(pattern=r"^[0-9]{2,4}-[0-9a-f]{32}$")]


async def _sealers(request: Request) -> Sealers:  # a coroutine for the reason that `Send` is one
    return request.app.state.sealers


Keys = Annotated[Sealers, Depends(_sealers)]


def routes(reader: Reader[State], programme: Callable[[], Programme]) -> APIRouter:
    """The routes; `programme` gives all versions that are known at the moment."""
    router = APIRouter(tags=["profile"])

    async def known(customer_id: str) -> tuple[Head[State], State]:
        head = await reader.head(customer_id)
        if head.state is not None and head.state.erasure is not None:
            raise Problem("erased")
        if head.state is None or head.state.said is None:  # a state alone may come of what the notifier said
            raise Problem("not-found")
        return head, head.state

    async def after(response: Response, sealers: Sealers) -> Response:
        """The answer to a write, as `GET` would have shown the profile then."""
        if response.status_code != 200:  # noqa: PLR2004
            return response
        shown = await opened(json.loads(bytes(response.body)), sealers)
        return JSONResponse(views.described(shown, _version(programme(), datetime.fromisoformat(shown.pop("now")))))

    async def boxes(customer_id: str, values: Mapping[str, str | None], sealers: Sealers) -> dict[str, str | None]:
        """The values of a request by path, sealed."""
        sealer = await sealers.of(customer_id)
        if sealer is None:
            await known(customer_id)
            raise Problem("erased")
        return {path: None if text is None else sealer.seal(path, text) for path, text in values.items()}

    @router.get(
        "/customers/{customer_id}/profile",
        response_model=Profile,
        summary="The profile, and what it lacks",
        responses=_SAME,
    )
    async def profile(
        request: Request, who: Reading, customer_id: CustomerId, sealers: Keys, seen: IfNoneMatch = None
    ) -> Response:
        def shown(head: Head[State], programme: Programme) -> dict[str, Any]:
            assert head.state is not None
            return views.described(
                views.profile(customer_id, head.state), _version(programme, head.state.clock, head.tick)
            )

        head, _ = await known(customer_id)
        if unchanged(request, head.version) and await steady(reader, customer_id, head, programme(), shown, _clock):
            return same(head.version)
        return reply(head.version, await opened(shown(head, programme()), sealers))

    @router.patch(
        "/customers/{customer_id}/profile",
        response_model=Profile,
        summary="Other values (merge patch), all or none",
        responses=ACCEPTED,
    )
    async def edit(who: Writing, customer_id: CustomerId, body: Patch, sealers: Keys, sending: Send) -> Response:
        said = body.values()
        _check_names(said, programme().versions)
        values = await boxes(customer_id, said, sealers)
        response = await sending(who, "EditProfile.v1", customer_id, {"values": values})
        return await after(response, sealers)

    @router.put(
        "/customers/{customer_id}/reminders", response_model=Profile, summary="Reminders on or off", responses=ACCEPTED
    )
    async def reminders(
        who: Switching, customer_id: CustomerId, body: RemindersSetting, sealers: Keys, sending: Send
    ) -> Response:
        _check_switch(who, only_off=not body.on)
        return await after(await sending(who, "SetReminders.v1", customer_id, body.model_dump()), sealers)

    @router.put(
        "/customers/{customer_id}/channels/{channel}",
        response_model=Profile,
        summary="A channel on or off; it is on once its address is known",
        responses=ACCEPTED,
    )
    async def channel(
        who: Switching,
        customer_id: CustomerId,
        channel: ChannelName,
        body: ChannelSetting,
        sealers: Keys,
        sending: Send,
    ) -> Response:
        _check_switch(who, only_off=not body.on and body.address is None)
        path = ADDRESSES[channel]
        address = (await boxes(customer_id, {path: body.address}, sealers))[path] if body.address is not None else None
        said = {"channel": channel, "on": body.on, "address": address}
        return await after(await sending(who, "SetChannel.v1", customer_id, said), sealers)

    @router.put(
        "/customers/{customer_id}/consents/{purpose}",
        response_model=Profile,
        summary="A consent given to a version of a text, or withdrawn",
        responses=ACCEPTED,
    )
    async def consent(
        who: Writing, customer_id: CustomerId, purpose: Purpose, body: ConsentSetting, sealers: Keys, sending: Send
    ) -> Response:
        if body.granted and body.text is None:
            raise invalid([("text", "is needed: the version of the text that is agreed to")])
        said = {"purpose": purpose, **body.model_dump()}
        return await after(await sending(who, "SetConsent.v1", customer_id, said), sealers)

    @router.get(
        "/customers/{customer_id}/export",
        response_model=Export,
        summary="Everything held of a person",
        responses=_SAME,
    )
    async def export(
        request: Request, who: Reading, customer_id: CustomerId, sealers: Keys, seen: IfNoneMatch = None
    ) -> Response:
        def shown(head: Head[State], _programme: Programme) -> State | None:
            return head.state  # notes change it too, and all that is held is in it or in its events

        head, state = await known(customer_id)
        if unchanged(request, head.version) and await steady(reader, customer_id, head, programme(), shown, _clock):
            return same(head.version)

        async def each(show: Callable[[Sequence[history.Stored]], Any]) -> AsyncGenerator[Any]:
            async for document in _log(reader, customer_id, head.revision):
                yield await opened(show(document.entries), sealers)

        lists = {"events": each(history.events), "history": each(history.Changes(customer_id).of)}
        return streamed(head.version, await opened(views.export(customer_id, state), sealers), lists)

    @router.delete(
        "/customers/{customer_id}", response_model=Receipt, summary="Forget a customer, for ever", responses=ACCEPTED
    )
    async def erase(who: Writing, customer_id: CustomerId, sending: Send) -> Response:
        return await sending(who, "Erase.v1", customer_id, {})

    @router.post(
        "/customers/{customer_id}/cards",
        response_model=Card,
        status_code=201,
        summary="One more member card",
        responses=ACCEPTED,
    )
    async def issue(who: Writing, customer_id: CustomerId, sending: Send) -> Response:
        return await sending(who, "IssueCard.v1", customer_id, {})

    @router.get("/cards/{card_id}", response_model=CardOwner, summary="Whose card it is")
    async def owner(who: Till, card_id: CardId) -> Response:
        return JSONResponse({"customer_id": await _owner(reader, card_id)})

    @router.delete(
        "/cards/{card_id}", status_code=204, summary="A card is lost: its customer, or staff", responses=ACCEPTED
    )
    async def revoke(who: Anybody, card_id: CardId, sending: Send) -> Response:
        if not who.scopes & {"customer", "staff"}:
            raise Problem("forbidden", "One of these scopes is needed: customer staff")
        customer_id = await _owner(reader, card_id)
        if "staff" not in who.scopes and customer_id != who.subject:
            raise Problem("not-found")  # as a card that there is not
        return await sending(who, "RevokeCard.v1", customer_id, {"card_id": card_id})

    @router.post("/contacts", response_model=Contacts, summary="How to reach customers, up to 500 at once")
    async def contacts(who: Annotated[Principal, allow("contacts")], body: ContactsWanted, sealers: Keys) -> Response:
        wanted = list(dict.fromkeys(body.customer_ids))
        keys = await sealers.of_all(wanted)
        states = await reader.states([customer for customer in wanted if customer in keys])
        items = [views.contact(customer, state) for customer, state in states.items() if state.said is not None]
        return JSONResponse({"items": cleared(items, lambda customer, field, box: keys[customer].open(field, box))})

    @router.get("/completion", response_model=Completions, summary="How complete the profiles of all customers are")
    async def completions(who: Annotated[Principal, allow("ops")]) -> Response:
        return JSONResponse(views.completions(await reader.totals()))

    return router


def _check_switch(who: Principal, *, only_off: bool) -> None:
    """The notifier acts for who unsubscribes, without a login: it may switch off and no more."""
    if not only_off and not who.scopes & {"customer", "staff"}:
        raise Problem("forbidden", "The scope contacts switches off alone")


def _check_names(values: Mapping[str, str | None], versions: Sequence[Version]) -> None:
    """A name that no version of the programme knows could be anything, a value too: it goes no further.

    The others that are bad are told along with it; whether a day has come yet, only the customer's writer knows.
    """
    kinds = {f"fields.{name}": kind for version in versions for name, kind in version.kinds.items()}
    kinds |= {path: path for path in (NAME, LOCALE, TIME_ZONE)}
    if values.keys() <= kinds.keys():
        return
    faults: list[tuple[str, str]] = []
    for path, text in values.items():
        try:
            if path not in kinds:
                faults.append((path, "is no field of the profile"))
            elif text is not None:
                checked(kinds[path], text, date.max)
        except BadValueError as error:
            faults.append((path, str(error)))
    raise invalid(faults)


def _version(programme: Programme, *times: datetime | None) -> Version:
    """The one in force at the latest of these times."""
    return programme.in_force(max(at for at in times if at is not None)) or programme.versions[0]


def _clock(state: State) -> datetime | None:
    return state.clock


async def _owner(reader: Reader[State], card_id: str) -> str:
    found = await reader.view(views.CARDS, card_id)
    if found is None:
        raise Problem("not-found")
    return found["customer"]


async def _log(reader: Reader[State], customer_id: str, revision: int) -> AsyncGenerator[Logged]:
    """All log documents of a customer up to that revision, newest first."""
    below = revision + 1
    while documents := await reader.log(customer_id, below, STEP):
        for document in documents:
            yield document
        below = documents[-1].revision
