"""Which channels there are, made from the settings."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from services.notifier.channels.port import Channel
from services.notifier.channels.posting import new_client
from services.notifier.channels.push import WebPush
from services.notifier.channels.sms import Sms
from services.notifier.channels.smtp import Email
from services.notifier.channels.telegram import Telegram
from services.notifier.channels.webhook import Webhook
from services.notifier.settings import ChannelSettings


@asynccontextmanager
async def open_channels(settings: ChannelSettings) -> AsyncGenerator[Mapping[str, Channel]]:
    """The channels that are configured, by name; closed at the end. `settings.on()` also names those that are off."""
    async with AsyncExitStack() as opened:
        channels: dict[str, Channel] = {}
        for name, on in settings.on().items():
            if on:
                channels[name] = _made(name, settings)
                opened.push_async_callback(channels[name].close)
        yield channels


def _made(name: str, settings: ChannelSettings) -> Channel:
    match name:
        case "email":
            return Email(settings)
        case "sms":
            return Sms(settings, new_client())
        case "push":
            return WebPush(settings, new_client())
        case "telegram":
            return Telegram(settings, new_client())
        case _:
            return Webhook(settings, new_client())
