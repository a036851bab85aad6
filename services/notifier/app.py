"""The notifier: the right message, once, in time, or not at all. Wiring only."""

import httpx

from services.notifier import rules
from services.notifier.api import routes_with
from services.notifier.delivery.contacts import Profile
from services.notifier.delivery.links import Links
from services.notifier.delivery.sender import open_sender
from services.notifier.delivery.settings import DeliverySettings
from services.notifier.rendering import Brand, Renderer
from services.notifier.settings import ChannelSettings
from services.notifier.templates.environment import TemplatesError
from services.notifier.views import deliveries
from shared.runtime.rules import Service
from shared.runtime.service import Ground, run
from shared.settings import load

SERVICE = Service(
    name="notifier",
    rules=rules,
    inputs={},
    sisters=rules.SISTERS,
    commands=rules.COMMANDS,
    answer=rules.answer,
    views=deliveries,
)


def main() -> None:
    """Run the notifier. Exits with a message that names a wrong setting or template."""
    delivery, channels = load(DeliverySettings), load(ChannelSettings)
    try:
        renderer = Renderer(Brand(channels.brand_name, channels.brand_address))
    except TemplatesError as error:
        raise SystemExit(str(error)) from None
    links = Links(delivery.unsubscribe_key.get_secret_value())

    async def switch_off(customer_id: str, what: str) -> bool:
        async with httpx.AsyncClient(timeout=5.0) as client:
            return await Profile(delivery, client).switch_off(customer_id, what)

    async def send(ground: Ground) -> None:
        async with open_sender(ground, delivery, channels, renderer, links) as sender:
            ground.health.beside = lambda: {"channels": sender.status()}
            await sender.run()

    run(SERVICE, routes_with(links, switch_off), beside=send)


if __name__ == "__main__":
    main()
