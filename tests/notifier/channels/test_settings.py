"""The settings: what is not configured is off, and what is wrong stops the start."""

import pytest

from services.notifier.channels.opening import open_channels
from services.notifier.settings import ChannelSettings
from shared.settings import load

KEY = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"


async def test_without_settings_every_channel_is_off():
    settings = load(ChannelSettings)
    assert settings.on() == dict.fromkeys(("email", "sms", "push", "telegram", "webhook"), False)
    async with open_channels(settings) as channels:
        assert channels == {}


async def test_what_is_configured_is_open(monkeypatch: pytest.MonkeyPatch):
    given = {
        "SMTP_HOST": "mail.example",
        "MAIL_FROM": "Shop <bonus@shop.example>",
        "SMS_URL": "https://sms.example/",
        "SMS_HEADERS": '{"authorization": "Bearer secret"}',
        "VAPID_PRIVATE_KEY": KEY,
        "VAPID_CONTACT": "mailto:ops@shop.example",
        "PUSH_SERVICES": '["push.example"]',
        "TELEGRAM_TOKEN": "1:abc",
        "WEBHOOK_URL": "http://127.0.0.1:8080/",
        "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "SMTP_USERNAME": "",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"PERKSTREAM_{name}", value)
    settings = load(ChannelSettings)
    assert all(settings.on().values())
    assert "Bearer" not in repr(settings)
    async with open_channels(settings) as channels:
        assert set(channels) == {"email", "sms", "push", "telegram", "webhook"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SMTP_HOST": "mail.example"}, "PERKSTREAM_MAIL_FROM"),
        ({"MAIL_FROM": "nobody"}, "PERKSTREAM_MAIL_FROM: is no sender"),
        ({"SMTP_USERNAME": "bonus"}, "PERKSTREAM_SMTP_PASSWORD"),
        ({"SMTP_USERNAME": "a", "SMTP_PASSWORD": "b", "SMTP_SECURITY": "none"}, "never sent without encryption"),
        ({"SMTP_CA_FILE": "/nowhere"}, "PERKSTREAM_SMTP_CA_FILE: names no file"),
        ({"SMS_URL": "http://sms.example/"}, "PERKSTREAM_SMS_URL: is no https address"),
        ({"WEBHOOK_URL": "https://shop.example/"}, "PERKSTREAM_WEBHOOK_SECRET"),
        ({"WEBHOOK_SECRET": "whsec_"}, "PERKSTREAM_WEBHOOK_SECRET: is no secret"),
        ({"VAPID_PRIVATE_KEY": KEY}, "PERKSTREAM_VAPID_CONTACT"),
        ({"VAPID_PRIVATE_KEY": "AA"}, "PERKSTREAM_VAPID_PRIVATE_KEY: is no private key"),
        ({"VAPID_PRIVATE_KEY": "!"}, "PERKSTREAM_VAPID_PRIVATE_KEY: is no private key"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str):
    for name, value in given.items():
        monkeypatch.setenv(f"PERKSTREAM_{name}", value)
    with pytest.raises(SystemExit) as stopped:
        load(ChannelSettings)
    assert said in str(stopped.value)
