"""Web push: what arrives can be read by the browser alone, and the push service knows who sent it."""

import os
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from msgspec.structs import replace

from services.notifier.channels.base64url import decoded, encoded
from services.notifier.channels.port import Permanent, Temporary
from services.notifier.channels.push import WebPush, sealed
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings
from tests.notifier.channels.browser import decrypt, public
from tests.notifier.channels.conftest import Authority
from tests.notifier.channels.provider import Answer, Provider, provider, trusting

# Every value of the example in RFC 8291, appendix A.
EXAMPLE = {
    "private": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "body": "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
    "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
    "payload": b"When I grow up, I want to be a watermelon",
}


class Browser:
    """A subscription, and the key that never leaves it."""

    def __init__(self, endpoint: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = os.urandom(16)
        keys = {"p256dh": encoded(public(self.key)), "auth": encoded(self.secret)}
        self.address = msgspec.json.encode({"endpoint": endpoint, "expirationTime": None, "keys": keys}).decode()


@pytest.fixture
async def service(authority: Authority) -> AsyncIterator[Provider]:
    async with provider(str(authority.certificate)) as started:
        yield started


@pytest.fixture
def browser(service: Provider) -> Browser:
    return Browser(f"https://localhost:{service.port}/push/abc")


@pytest.fixture
async def channel(authority: Authority) -> AsyncIterator[WebPush]:
    settings = ChannelSettings(
        vapid_private_key=encoded(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)),  # pyright: ignore[reportArgumentType]
        vapid_contact="mailto:ops@shop.example",
        push_services=("localhost",),
    )
    opened = WebPush(settings, httpx.AsyncClient(verify=trusting(str(authority.file)), trust_env=False, timeout=2))
    yield opened
    await opened.close()


def test_the_browser_reads_the_example_of_the_rfc():
    key = ec.derive_private_key(int.from_bytes(decoded(str(EXAMPLE["private"]))), ec.SECP256R1())
    assert decrypt(decoded(str(EXAMPLE["body"])), key, decoded(str(EXAMPLE["auth"]))) == EXAMPLE["payload"]


def test_we_write_the_example_of_the_rfc():
    key = ec.derive_private_key(int.from_bytes(decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1())
    browser = ec.derive_private_key(int.from_bytes(decoded(str(EXAMPLE["private"]))), ec.SECP256R1())
    salt, secret = decoded("DGv6ra1nlYgDCS1FRnbzlw"), decoded(str(EXAMPLE["auth"]))
    payload = b"When I grow up, I want to be a watermelon"
    assert encoded(sealed(payload, public(browser), secret, key, salt)) == EXAMPLE["body"]


async def test_the_browser_alone_can_read_it(channel: WebPush, service: Provider, browser: Browser, message: Rendered):
    await channel.send(message, browser.address, "n1")
    [request] = service.requests
    assert request.path == "/push/abc"
    assert request.headers["content-encoding"] == "aes128gcm"
    assert message.short.encode() not in request.body
    assert msgspec.json.decode(decrypt(request.body, browser.key, browser.secret)) == {
        "title": message.subject,
        "body": message.short,
        "url": message.status_url,
        "tag": "n1",
    }


async def test_the_push_service_knows_who_sends(
    channel: WebPush, service: Provider, browser: Browser, message: Rendered
):
    await channel.send(message, browser.address, "n1")
    [request] = service.requests
    scheme, _, rest = request.headers["authorization"].partition(" ")
    given = dict(part.strip().split("=", 1) for part in rest.split(","))
    point = decoded(given["k"])
    key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": encoded(point[1:33]), "y": encoded(point[33:])})
    claims = jwt.decode(given["t"], key).claims
    assert scheme == "vapid"
    assert claims["aud"] == f"https://localhost:{service.port}"
    assert claims["sub"] == "mailto:ops@shop.example"


async def test_a_second_attempt_replaces_the_first(
    channel: WebPush, service: Provider, browser: Browser, message: Rendered
):
    for notification in ("n1", "n1", "n2"):
        await channel.send(message, browser.address, notification)
    first, second, other = (request.headers["topic"] for request in service.requests)
    assert first == second != other
    assert len(first) == 32


async def test_a_text_that_is_too_long_is_cut(channel: WebPush, service: Provider, browser: Browser, message: Rendered):
    await channel.send(replace(message, short="ж" * 10_000), browser.address, "n1")
    body = service.requests[0].body
    shown = msgspec.json.decode(decrypt(body, browser.key, browser.secret))["body"]
    assert len(body) <= 4096
    assert shown.endswith("ж…")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_has_ended_is_gone(
    channel: WebPush, service: Provider, browser: Browser, message: Rendered, status: int
):
    service.answers = [Answer(status)]
    with pytest.raises(Permanent) as refused:
        await channel.send(message, browser.address, "n1")
    assert refused.value.address


async def test_a_push_service_that_does_not_accept_our_key_waits_for_an_operator(
    channel: WebPush, service: Provider, browser: Browser, message: Rendered
):
    service.answers = [Answer(403)]
    with pytest.raises(Temporary, match="does not accept us"):
        await channel.send(message, browser.address, "n1")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1:{port}/push",
        "http://localhost:{port}/push",
        "https://localhost.evil.example/push",
        "https://evil.example/#localhost",
        "https://localhost@127.0.0.1:{port}/push",
        "https://localhost:99999/push",
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_subscription_makes_us_call_nobody_but_push_services(
    channel: WebPush, service: Provider, message: Rendered, endpoint: str
):
    with pytest.raises(Permanent) as refused:
        await channel.send(message, Browser(endpoint.format(port=service.port)).address, "n1")
    assert refused.value.address
    assert not service.requests


@pytest.mark.parametrize(
    "address",
    [
        "",
        "null",
        "{}",
        "https://localhost/push",
        '{"endpoint": "https://localhost/", "keys": {"p256dh": "AA", "auth": "!"}}',
    ],
)
async def test_what_is_no_subscription_is_refused(channel: WebPush, message: Rendered, address: str):
    with pytest.raises(Permanent) as refused:
        await channel.send(message, address, "n1")
    assert refused.value.address
