"""SMS through a gateway that takes HTTP: its address, headers and body are configured."""

import re
from typing import Any, Final, cast
from urllib.parse import urlencode

import httpx
import msgspec

from services.notifier.channels import posting
from services.notifier.channels.port import Sent
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings

_PLACE: Final = re.compile(r"\{(to|text|id)\}")
_TYPES: Final = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


class Sms:
    """Addresses are phone numbers in E.164. The gateway gets the notification's id as `Idempotency-Key`."""

    def __init__(self, settings: ChannelSettings, client: httpx.AsyncClient) -> None:
        assert settings.sms_url is not None
        self._client = client
        self._url = settings.sms_url
        self._format = settings.sms_format
        self._body = settings.sms_body
        self._headers = {name: value.get_secret_value() for name, value in settings.sms_headers.items()}

    async def send(self, message: Rendered, address: str, notification_id: str) -> Sent:
        """See `Channel.send`."""
        values = {"to": address, "text": f"{message.subject}\n{message.short}", "id": notification_id}
        body: dict[str, Any] = _filled(self._body, values)
        await posting.post(
            self._client,
            self._url,
            headers={**self._headers, "content-type": _TYPES[self._format], "idempotency-key": notification_id},
            content=msgspec.json.encode(body) if self._format == "json" else urlencode(body, doseq=True).encode(),
        )
        return Sent()

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._client.aclose()


def _filled(part: Any, values: dict[str, str]) -> Any:
    """The body with its places filled, in one pass, so that a text which looks like a place stays a text."""
    match part:
        case str():
            return _PLACE.sub(lambda place: values[place[1]], part)
        case dict():
            return {key: _filled(value, values) for key, value in cast("dict[str, Any]", part).items()}
        case list():
            return [_filled(value, values) for value in cast("list[Any]", part)]
        case _:
            return part
