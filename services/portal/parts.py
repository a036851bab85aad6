"""Pages as wholes and as parts: what the templates are given."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response

from services.portal import model
from services.portal.account import Account
from services.portal.chart import chart
from services.portal.desk import Desk
from services.portal.render import HEADERS
from services.portal.texts import Say
from services.portal.visit import Visit
from shared.http.problems import Problem

# The parts of the status page, each an element of that id in a template of that name.
PARTS: Final = ("headline", "completion", "benefits", "history", "chart", "settings")
RECENT: Final = 5  # items of the history on the status page
DONE: Final = frozenset({"saved", "complete", "soon", "nothing", "settings"})


def tag(visit: Visit, account: Account) -> str:
    """The locale in which to speak to a visitor."""
    return visit.tag(account.preferences.locale if account.preferences else None)


def owner(customer_id: str) -> str:
    """A mark by which a browser knows whose card it keeps."""
    return hashlib.sha256(customer_id.encode()).hexdigest()[:16]


def shell(place: str, customer_id: str) -> dict[str, Any]:
    """What the account shell is given. `place`: the entry of its menu."""
    return {"place": place, "signed_in": True, "owner": owner(customer_id)}


def values(
    m: model.MyBonus,
    say: Say,
    *,
    done: str | None = None,
    given: Mapping[str, str] | None = None,
    refused: frozenset[str] = frozenset(),
    focus: str | None = None,
) -> dict[str, Any]:
    """What a page is given.

    `done`: what was just done (`DONE`). `given`: what was typed into fields, and `refused`: those that were. `focus`:
    where the focus goes.
    """
    return shell("bonus", m.customer_id) | {
        "m": m,
        "say": say,
        "chart": chart(m.months),
        "done": done if done in DONE else None,
        "given": given or {},
        "refused": refused,
        "focus": focus,
        "first": True,
    }


async def account_of(desk: Desk, visit: Visit) -> Account:
    """A visitor's account; raises `erased` for somebody who asked to be forgotten."""
    account = await desk.stand.accounts.read(visit.customer_id)
    if account.erased:
        raise Problem("erased")
    return account


async def whole(desk: Desk, visit: Visit, status: int = 200, **more: Any) -> Response:
    """The status page."""
    account = await account_of(desk, visit)
    m, say = await desk.bonus(visit.customer_id, account, tag(visit, account), limit=RECENT)
    return desk.renderer.page("status.html", say.language, values(m, say, **more), status)


async def after(desk: Desk, visit: Visit, account: Account, status: int = 200, **more: Any) -> Response:
    """All parts of the status page after a change, as htmx swaps them in."""
    m, say = await desk.bonus(visit.customer_id, account, tag(visit, account), limit=RECENT)
    given = values(m, say, **more)
    html = [_partial(desk, name, say.language, given) for name in PARTS]
    html.append(desk.renderer.html("parts/announce.html", say.language, given))
    headers = HEADERS | {"Content-Language": say.language, "X-Version": str(account.version)}
    return Response("".join(html), status, headers, "text/html; charset=utf-8")


async def changed(desk: Desk, visit: Visit, account: Account, shown: dict[str, str]) -> str:
    """The parts that are not as `shown` any more, which then says how they are."""
    m, say = await desk.bonus(visit.customer_id, account, tag(visit, account), limit=RECENT)
    given = values(m, say)
    found: list[str] = []
    told = False  # only the figures are worth an announcement
    for name in PARTS:
        html = _partial(desk, name, say.language, given)
        if shown.get(name) != html:
            shown[name] = html
            found.append(html)
            told = told or name == "headline"
    return "".join([*found, desk.renderer.html("parts/announce_live.html", say.language, given) if told else ""])


async def data(
    desk: Desk,
    visit: Visit,
    fields: Mapping[str, str | None] | None,
    status: int = 200,
    *,
    done: str | None = None,
    refused: frozenset[str] = frozenset(),
) -> Response:
    """The page with a customer's own values. `fields`: by id, as stored or as typed; `None`: nobody is enrolled."""
    account = await account_of(desk, visit)
    say, _ = await desk.say(visit.customer_id, account, tag(visit, account))
    focus = next((field for field in fields or () if field in refused), None)
    shown = {"say": say, "fields": fields, "refused": refused, "focus": focus, "done": done if done in DONE else None}
    return desk.renderer.page("data.html", say.language, shown | shell("data", visit.customer_id), status)


def _partial(desk: Desk, name: str, language: str, given: Mapping[str, Any]) -> str:
    html = desk.renderer.html(f"parts/{name}.html", language, given)
    return f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{html}</hx-partial>'
