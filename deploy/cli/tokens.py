"""`perkstream token` and `sign-in`: for the system that runs here, signed with the key that its stack made."""

import json
from typing import Any, Final

from deploy.cli.place import NOWHERE, Place
from deploy.cli.trouble import Trouble
from deploy.local.tokens import sign, sign_in_link

SCOPES: Final = ("customer", "pos", "staff", "programme", "ops", "contacts")


def token(place: Place, scope: str, customer: str | None, lifetime_s: int) -> str:
    """A bearer token with these scopes (one or several, separated by spaces); `customer`: whose data it opens."""
    wanted = scope.split()
    unknown = [name for name in wanted if name not in SCOPES]
    if unknown or not wanted:
        raise Trouble(f"no scope {' '.join(unknown) or 'given'}; there is: {', '.join(SCOPES)}")
    if ("customer" in wanted) != (customer is not None):
        raise Trouble("scope customer and --customer ID go together")
    return sign(_signing_key(place), " ".join(wanted), customer, lifetime_s)


def sign_in(place: Place, customer: str) -> str:
    """A link that signs a customer in to the portal of a local system, once."""
    portal = place.file.get("PORTAL_URL")
    if portal is None:
        raise Trouble(NOWHERE.partition(", or")[0])
    return sign_in_link(_signing_key(place), portal, customer)


def _signing_key(place: Place) -> dict[str, Any]:
    if place.folder is None or "STACK" not in place.file:
        raise Trouble(NOWHERE.partition(", or")[0])
    secrets = place.folder / place.file["STACK"] / "secrets.json"
    try:
        return json.loads(secrets.read_text())["signing_key"]
    except (OSError, ValueError, KeyError):
        raise Trouble(f"{secrets}: holds no key to sign with") from None
