"""The portal: everything that is said of customers becomes the pages that they see. Wiring only."""

from services.portal import rules, views
from services.portal.api import routes
from services.portal.desk import Desk
from services.portal.settings import PortalSettings
from shared.contracts.ledger import LEDGER
from shared.contracts.notifier import NOTIFIER
from shared.contracts.profile import PROFILE
from shared.contracts.turnover import TURNOVER
from shared.runtime.rules import Service
from shared.runtime.service import run
from shared.settings import Settings, load

SERVICE = Service(
    name="portal",
    rules=rules,
    inputs={},
    sisters={"profile": PROFILE, "turnover": TURNOVER, "ledger": LEDGER, "notifier": NOTIFIER},
    views=views.accounts,
    lines=views.lines,
)

if __name__ == "__main__":
    desk = Desk(load(PortalSettings))
    run(SERVICE, lambda _reader, _programme: routes(desk, load(Settings)), desk.beside)
