"""The channels that speak HTTP, against servers that check what they are sent."""

from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from services.notifier.channels import posting
from services.notifier.channels.port import Channel, NotSent, Permanent, Sent, Temporary
from services.notifier.channels.sms import Sms
from services.notifier.channels.telegram import Telegram
from services.notifier.channels.webhook import Webhook
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings
from tests.notifier.channels.provider import Answer, Provider

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
PHONE = "+4915112345678"

Make = Callable[..., Channel]


@pytest.fixture
async def make(gateway: Provider) -> AsyncIterator[Make]:
    """Makes a channel by name, for the gateway."""
    made: list[Channel] = []

    def channel(name: str, **other: object) -> Channel:
        url = f"http://127.0.0.1:{gateway.port}"
        given = {
            "sms_url": f"{url}/messages",
            "sms_headers": {"authorization": "Bearer secret"},
            "telegram_token": TOKEN,
            "telegram_url": url,
            "webhook_url": f"{url}/hook",
            "webhook_secret": SECRET,
        }
        settings = ChannelSettings.model_validate(given | other)
        client = httpx.AsyncClient(timeout=0.5, trust_env=False, verify=False)
        made.append({"sms": Sms, "telegram": Telegram, "webhook": Webhook}[name](settings, client))
        return made[-1]

    yield channel
    for one in made:
        await one.close()


async def test_an_sms_is_posted_as_the_gateway_wants_it(make: Make, gateway: Provider, message: Rendered):
    body = {"from": "Shop", "messages": [{"to": ["{to}"], "text": "{text}", "ref": "{id}", "parts": 2}]}
    await make("sms", sms_body=body).send(message, PHONE, "n1")
    [request] = gateway.requests
    text = f"{message.subject}\n{message.short}"
    assert request.path == "/messages"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["idempotency-key"] == "n1"
    assert msgspec.json.decode(request.body) == {
        "from": "Shop",
        "messages": [{"to": [PHONE], "text": text, "ref": "n1", "parts": 2}],
    }


async def test_an_sms_as_a_form(make: Make, gateway: Provider, message: Rendered):
    await make("sms", sms_format="form", sms_body={"To": "{to}", "Body": "{text}"}).send(message, PHONE, "n1")
    [request] = gateway.requests
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode())["To"] == [PHONE]


async def test_a_text_that_looks_like_a_place_stays_a_text(make: Make, gateway: Provider, message: Rendered):
    await make("sms").send(replace(message, short="{to} {id}"), PHONE, "n1")
    assert msgspec.json.decode(gateway.requests[0].body)["text"].endswith("{to} {id}")


async def test_telegram_gets_plain_text_and_says_how_it_calls_it(make: Make, gateway: Provider, message: Rendered):
    gateway.answers = [Answer(body=b'{"ok": true, "result": {"message_id": 42}}')]
    assert await make("telegram").send(message, "12345", "n1") == Sent("42")
    [request] = gateway.requests
    body = msgspec.json.decode(request.body)
    assert request.path == f"/bot{TOKEN}/sendMessage"
    assert body["chat_id"] == "12345"
    assert body["text"].split("\n\n") == [message.subject, message.short, message.status_url]
    assert "parse_mode" not in body


async def test_a_webhook_is_signed(make: Make, gateway: Provider, message: Rendered):
    await make("webhook").send(message, "c-1", "n1")
    [request] = gateway.requests
    body = Receiver(SECRET).verify(request.body, request.headers)
    assert request.headers["webhook-id"] == "n1"
    assert body["type"] == "notification.tier_changed"
    assert body["data"]["to"] == "c-1"
    assert body["data"]["short"] == message.short
    with pytest.raises(WebhookVerificationError):
        Receiver(SECRET).verify(request.body.replace(b"c-1", b"c-2"), request.headers)


@pytest.mark.parametrize("name", ["sms", "telegram", "webhook"])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_busy_provider_is_asked_again(make: Make, gateway: Provider, message: Rendered, name: str, status: int):
    gateway.answers = [Answer(status)]
    with pytest.raises(Temporary) as refused:
        await make(name).send(message, PHONE, "n1")
    assert refused.value.after_s is None


async def test_a_busy_provider_may_say_when(make: Make, gateway: Provider, message: Rendered):
    telegram = b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 31}}'
    gateway.answers = [Answer(429, {"retry-after": "7"}), Answer(429, body=telegram)]
    for name, seconds in (("sms", 7), ("telegram", 31)):
        with pytest.raises(Temporary) as refused:
            await make(name).send(message, PHONE, "n1")
        assert refused.value.after_s == seconds


@pytest.mark.parametrize(
    ("name", "status", "kind", "address"),
    [
        ("sms", 400, Permanent, False),
        ("sms", 401, Temporary, None),
        ("sms", 403, Temporary, None),
        ("sms", 302, Temporary, None),
        ("telegram", 400, Permanent, True),
        ("telegram", 403, Permanent, True),
        ("telegram", 401, Temporary, None),
        ("telegram", 404, Temporary, None),
        ("webhook", 404, Permanent, False),
    ],
)
async def test_what_a_refusal_means(
    make: Make, gateway: Provider, message: Rendered, name: str, status: int, kind: type[NotSent], address: bool | None
):
    headers = {"location": f"http://127.0.0.1:{gateway.port}/elsewhere"} if status == 302 else {}
    gateway.answers = [Answer(status, headers, f"no {PHONE}".encode())]
    with pytest.raises(kind) as refused:
        await make(name).send(message, PHONE, "n1")
    assert getattr(refused.value, "address", None) is address
    assert PHONE not in refused.value.reason
    assert TOKEN not in str(refused.value)
    assert len(gateway.requests) == 1


async def test_a_provider_that_hangs_is_left_and_may_have_taken_it(make: Make, gateway: Provider, message: Rendered):
    gateway.answers = [Answer(hangs=True)]
    with pytest.raises(Temporary) as left:
        await make("sms").send(message, PHONE, "n1")
    assert left.value.unsure


async def test_a_provider_that_never_ends_its_answer_is_left(
    make: Make, gateway: Provider, message: Rendered, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.2)
    gateway.answers = [Answer(drips=True)]
    with pytest.raises(Temporary) as left:
        await make("sms").send(message, PHONE, "n1")
    assert left.value.unsure


async def test_a_provider_that_is_down_has_taken_nothing(message: Rendered):
    settings = ChannelSettings(sms_url="http://127.0.0.1:9/")
    channel = Sms(settings, httpx.AsyncClient(trust_env=False, verify=False))
    with pytest.raises(Temporary) as refused:
        await channel.send(message, PHONE, "n1")
    assert not refused.value.unsure
    await channel.close()
