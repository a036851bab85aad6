"""Telegram, by its Bot API."""

from typing import Any, Final

import httpx
import msgspec

from services.notifier.channels import posting
from services.notifier.channels.port import Sent
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings

_LONGEST: Final = 4096  # characters of a message, by the Bot API
_GONE: Final = frozenset({400, 403})  # no such chat; the customer blocked the bot or never started it
_LOGIN: Final = frozenset({401, 404})  # by a token that is none


class _Message(msgspec.Struct):
    message_id: int = 0


class _Parameters(msgspec.Struct):
    retry_after: float | None = None


class _Answer(msgspec.Struct):
    """What the Bot API answers, as far as we read it."""

    result: _Message = msgspec.field(default_factory=_Message)
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


class Telegram:
    """Addresses are ids of chats. The Bot API knows no idempotency key: a repeat is a second message."""

    def __init__(self, settings: ChannelSettings, client: httpx.AsyncClient) -> None:
        assert settings.telegram_token is not None
        self._client = client
        self._url = f"{settings.telegram_url}/bot{settings.telegram_token.get_secret_value()}/sendMessage"

    async def send(self, message: Rendered, address: str, notification_id: str) -> Sent:
        """See `Channel.send`."""
        text = f"{message.subject}\n\n{message.short}\n\n{message.status_url}"
        body: dict[str, Any] = {
            "chat_id": address,
            "text": text[:_LONGEST],
            "link_preview_options": {"is_disabled": True},
        }
        answer = await posting.post(
            self._client,
            self._url,
            headers={"content-type": "application/json"},
            content=msgspec.json.encode(body),
            gone=_GONE,
            login=_LOGIN,
            pause=lambda busy: _read(busy).parameters.retry_after,
        )
        return Sent(str(_read(answer).result.message_id or ""))

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._client.aclose()


def _read(answer: httpx.Response) -> _Answer:
    try:
        return msgspec.json.decode(answer.content, type=_Answer)
    except msgspec.MsgspecError:
        return _Answer()  # of a proxy on the way
