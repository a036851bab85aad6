"""What the pages stand on: the databases once they are there, the programme, templates, and open pages."""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from services.portal import history, model, status
from services.portal.account import Account
from services.portal.accounts import PAGE, Accounts
from services.portal.assets import Assets
from services.portal.live import Live
from services.portal.profile import Profiles
from services.portal.render import Renderer
from services.portal.sessions import Sessions
from services.portal.settings import PortalSettings
from services.portal.signin import Provider
from services.portal.texts import DEFAULT, Say, language_of
from services.portal.visit import Doors
from shared.mongo import Unavailable
from shared.rulebook.programme import Programme
from shared.runtime.service import Ground


class Stand(Struct, frozen=True):
    """What is there once the service runs. `partition`: of a customer."""

    accounts: Accounts
    sessions: Sessions
    partition: Callable[[str], int]
    programme: Callable[[], Programme]


class Desk:
    """Everything that routes need."""

    def __init__(self, settings: PortalSettings) -> None:
        self.settings = settings
        self.assets = Assets()
        self.renderer = Renderer(settings, self.assets)
        self.profiles = Profiles(settings.profile_url)
        self.provider = Provider(settings)
        self.doors = Doors(settings, self.provider)
        self.live = Live()
        self._stand: Stand | None = None

    @property
    def stand(self) -> Stand:
        """Raises `Unavailable` while the service has not started."""
        if self._stand is None:
            raise Unavailable("the service has not started")
        return self._stand

    async def beside(self, ground: Ground) -> None:
        """Work beside the loop: watch for open pages until the service stops."""
        partition = ground.commands.partition
        accounts = Accounts(ground.mongo, partition)
        sessions = Sessions(ground.mongo)
        self._stand = Stand(accounts, sessions, partition, ground.programme)
        await self.live.run(accounts, sessions, ground.stop)
        await self.profiles.close()

    async def say(self, customer_id: str, account: Account, tag: str) -> tuple[Say, datetime]:
        """How to speak to a customer in the language of `tag`, and their now."""
        programme, tick = self.stand.programme(), await self.stand.accounts.tick(customer_id)
        times = [at for at in (account.clock, tick) if at is not None]
        now = max(times) if times else datetime.now(UTC)
        # Before the first version nothing can have counted; what is shown then is what will hold.
        version = programme.in_force(now) or programme.versions[0]
        zone = account.preferences.time_zone if account.preferences else None
        return Say(language_of(tag) or DEFAULT, programme, version, tag, zone), now

    async def bonus(
        self, customer_id: str, account: Account, tag: str, cursor: str | None = None, limit: int = PAGE
    ) -> tuple[model.MyBonus, Say]:
        """All that there is to say to a customer, with a page of their history."""
        say, now = await self.say(customer_id, account, tag)
        lines, following = await self.stand.accounts.history(customer_id, cursor, limit)
        shown = model.History(items=history.items(lines, say), next=following)
        return status.my_bonus(customer_id, account, say.programme, now, say, shown), say
