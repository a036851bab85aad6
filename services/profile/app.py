"""The profile service: the CRM's records and the customers' own edits become profiles. Wiring only."""

from services.profile import rules, views
from services.profile.answers import answer
from services.profile.api import routes
from services.profile.commands import COMMANDS
from shared.contracts.crm import CRM
from shared.contracts.notifier import NOTIFIER
from shared.contracts.topics import CUSTOMERS
from shared.runtime.rules import Service
from shared.runtime.service import run

SERVICE = Service(
    name="profile",
    rules=rules,
    inputs={CUSTOMERS: CRM},
    sisters={"notifier": NOTIFIER},
    commands=COMMANDS,
    answer=answer,
    views=views.cards,
    totals=rules.totals,
    forgotten=rules.forgotten,
)

if __name__ == "__main__":
    run(SERVICE, routes)
