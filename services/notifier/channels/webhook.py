"""A webhook of the retailer, for what has no channel of its own here: signed as Standard Webhooks has it."""

from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from standardwebhooks import Webhook as Signer

from services.notifier.channels import posting
from services.notifier.channels.port import Sent
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings


class Webhook:
    """Addresses are whatever the receiver knows the customer by. `webhook-id` is the notification's id."""

    def __init__(self, settings: ChannelSettings, client: httpx.AsyncClient) -> None:
        assert settings.webhook_url is not None
        assert settings.webhook_secret is not None
        self._client = client
        self._url = settings.webhook_url
        self._signer = Signer(settings.webhook_secret.get_secret_value())

    async def send(self, message: Rendered, address: str, notification_id: str) -> Sent:
        """See `Channel.send`."""
        now = datetime.now(UTC)  # of this attempt: a receiver drops what was signed long ago
        body: dict[str, Any] = {
            "type": f"notification.{message.template}",
            "timestamp": now,
            "data": {
                "notification_id": notification_id,
                "to": address,
                "language": message.language,
                "subject": message.subject,
                "short": message.short,
                "text": message.text,
                "status_url": message.status_url,
            },
        }
        content = msgspec.json.encode(body)
        headers = {
            "content-type": "application/json",
            "webhook-id": notification_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(notification_id, now, content.decode()),
        }
        await posting.post(self._client, self._url, headers=headers, content=content)
        return Sent()

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._client.aclose()
