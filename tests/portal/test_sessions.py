"""Sessions: what the database alone holds is of no use to anybody."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.portal.sessions import LIFETIME, SESSIONS, Sessions, Signed
from tests.portal.stand import Stand

pytestmark = pytest.mark.asyncio(loop_scope="session")


def signed(customer_id: str) -> Signed:
    now = datetime.now(UTC)
    return Signed(customer_id, "access-token", now + timedelta(minutes=10), "refresh-token", now)


async def test_a_session_is_found_by_its_cookie_and_by_no_other(stand: Stand, name: str) -> None:
    sessions = Sessions(stand.mongo)
    one, other = await sessions.open(signed(name), 3), await sessions.open(signed("c-other"), 4)
    assert one.startswith("03-")
    found = await sessions.find(one)
    assert found is not None
    assert (found.customer_id, found.access_token) == (name, "access-token")
    for wrong in (None, "", "03-", one[:-1], one + "a", f"04-{one[3:]}", f"03-{other[3:]}", "x" * 500):
        assert await sessions.find(wrong) is None


async def test_the_database_says_neither_who_nor_what(stand: Stand, name: str) -> None:
    cookie = await Sessions(stand.mongo).open(signed(name), 3)
    held = repr(await stand.mongo.find(SESSIONS, {}))
    for secret in (name, "access-token", "refresh-token", cookie, cookie[3:]):
        assert secret not in held


async def test_a_closed_session_is_over_at_once(stand: Stand, name: str) -> None:
    sessions = Sessions(stand.mongo)
    cookie = await sessions.open(signed(name), 3)
    await sessions.close(cookie)
    await sessions.close(cookie)
    assert await sessions.find(cookie) is None


async def test_requests_under_way_may_end_when_a_session_gets_another_cookie(stand: Stand, name: str) -> None:
    sessions = Sessions(stand.mongo)
    cookie = await sessions.open(signed(name), 3)
    await sessions.close(cookie, overlap=True)
    assert await sessions.find(cookie) is not None


async def test_a_session_ends_with_its_lifetime(stand: Stand, name: str) -> None:
    sessions = Sessions(stand.mongo)
    old = replace(signed(name), began=datetime.now(UTC) - LIFETIME)
    assert await sessions.find(await sessions.open(old, 3)) is None
