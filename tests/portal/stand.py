"""The portal's pages and sign-in in a server of their own, on a real MongoDB; without the loop that reads topics.

What the loop would write is written by hand. Profile is not there, unless a test plays it (`tests.portal.profile`):
what changes profiles runs in the whole system.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from deploy.local.stack import Stack
from services.portal.api import routes
from services.portal.desk import Desk
from services.portal.provider import LINKS
from services.portal.settings import PortalSettings
from shared.contracts.partition import partition_of
from shared.http.app import make_app
from shared.http.probes import Probes
from shared.http.server import listen, serve
from shared.http.tokens import Guard, Keys
from shared.mongo import Mongo
from shared.rulebook.programme import Programme
from shared.runtime.owned import view_id
from shared.runtime.service import Ground
from shared.settings import PREFIX, Settings
from tests.portal.world import PROGRAMME, Customer

PARTITIONS = 12
NOBODY = "http://127.0.0.1:1"  # no port that anybody listens at: a profile that is away
KEY = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)


class Stand:
    """A running portal. `url`: as browsers see it."""

    def __init__(self, url: str, desk: Desk, mongo: Mongo) -> None:
        self.url, self.desk, self.mongo = url, desk, mongo

    @property
    def ours(self) -> dict[str, str]:
        """The headers with which a browser sends a form of our own pages."""
        return {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}

    def client(self, headers: Mapping[str, str] | None = None, *, follow_redirects: bool = True) -> httpx.AsyncClient:
        """A browser without a script."""
        return httpx.AsyncClient(base_url=self.url, headers=headers, follow_redirects=follow_redirects, timeout=60)

    async def keep(self, customer: Customer) -> None:
        """Write a customer's documents, as a batch would."""
        number = partition_of(customer.customer_id, PARTITIONS)
        for view in customer.views.values():
            document = {"_id": view_id(number, view.id), **(view.document or {})}
            await self.mongo.collection(view.collection).replace_one({"_id": document["_id"]}, document, upsert=True)

    async def sign_in(self, browser: httpx.AsyncClient, customer_id: str) -> httpx.Response:
        """Open a sign-in link."""
        return await browser.get("/sign-in", params={"login_hint": link(customer_id)})


def link(customer_id: str, **claims: Any) -> str:
    """What a sign-in link carries."""
    said = {"aud": LINKS, "sub": customer_id, "jti": secrets.token_hex(8), "exp": int(time.time()) + 60} | claims
    return jwt.encode({"alg": "ES256", "kid": KEY.kid}, said, KEY)


def bearer(subject: str, scope: str = "customer") -> dict[str, str]:
    """A token that services accept."""
    now = int(time.time())
    said = {"iss": "perkstream", "aud": "perkstream", "sub": subject, "scope": scope, "iat": now, "exp": now + 60}
    return {"Authorization": f"Bearer {jwt.encode({'alg': 'ES256', 'kid': KEY.kid}, said, KEY)}"}


@asynccontextmanager
async def standing(
    folder: Path, stack: Stack, *, profile_url: str = NOBODY, programme: Programme = PROGRAMME
) -> AsyncGenerator[Stand]:
    """A portal for the length of an `async with`; its settings and keys lie in that folder."""
    # Kafka's settings have to be there, and nobody uses them.
    kafka = {name.removeprefix(PREFIX).lower(): value for name, value in stack.environment("ops").items()}
    mongo_url = stack.mongo_url()
    (folder / "jwks.json").write_text(json.dumps(KeySet([KEY]).as_dict(private=False)))
    (folder / "key.json").write_text(json.dumps(KEY.as_dict(private=True)))
    at = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{at.getsockname()[1]}"
    settings = Settings.model_validate({**kafka, "mongo_url": mongo_url, "jwks": str(folder / "jwks.json")})
    portal = PortalSettings(portal_url=url, profile_url=profile_url, development_key=folder / "key.json")
    desk, mongo, stop = Desk(portal), Mongo(mongo_url, "portal"), asyncio.Event()
    app = make_app(
        "portal",
        Guard(Keys(settings.jwks), settings.token_issuer, settings.token_audience),
        Probes(live=lambda: (True, {}), ready=lambda: (True, {})),
        [routes(desk, settings)],
    )
    commands: Any = SimpleNamespace(partition=lambda customer_id: partition_of(customer_id, PARTITIONS))
    ground = Ground(mongo, commands, lambda: programme, dict, cast("Any", None), stop, [])
    work = [asyncio.create_task(serve(app, at, stop)), asyncio.create_task(desk.beside(ground))]
    try:
        async with httpx.AsyncClient() as http:
            while not (await http.get(f"{url}/readyz")).is_success:
                await asyncio.sleep(0.05)
        yield Stand(url, desk, mongo)
    finally:
        stop.set()
        await asyncio.gather(*work)
        await mongo.close()
