"""What a message needs on its way, whatever its channel."""

from collections.abc import Callable
from datetime import datetime

from services.notifier.delivery.contacts import Contact, Profile
from services.notifier.delivery.links import Links, wish_of
from services.notifier.delivery.outbox import Delivery, Outbox
from services.notifier.delivery.reporting import Writers
from services.notifier.rendering import Rendered, Renderer
from services.notifier.templates.params import read
from shared.rulebook.programme import Programme


class Ways:
    """The queue, profile, the writers, and all that makes a message of a document."""

    def __init__(
        self,
        outbox: Outbox,
        profile: Profile,
        writers: Writers,
        renderer: Renderer,
        links: Links,
        programme: Callable[[], Programme],
        clock: Callable[[], datetime],
        public_url: str,
        status_url: str,
    ) -> None:
        """`clock`: the time by which messages are due again, UTC."""
        self.outbox, self.profile, self.writers, self.renderer, self.links = outbox, profile, writers, renderer, links
        self.programme, self.clock = programme, clock
        self._public_url, self._status_url = public_url, status_url

    def render(self, delivery: Delivery, contact: Contact) -> Rendered:
        """The message as its customer reads it."""
        wish = wish_of(delivery.template, delivery.channel, delivery.customer)
        return self.renderer.render(
            read(delivery.params),
            self.programme(),
            name=contact.name,
            locale=delivery.locale,
            status_url=self._status_url,
            unsubscribe_url=None if wish is None else f"{self._public_url}/unsubscribe/{self.links.token(wish)}",
        )
