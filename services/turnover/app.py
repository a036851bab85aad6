"""The turnover service: purchases and returns become turnover and tiers. Wiring only."""

from services.turnover import rules
from services.turnover.api import routes
from shared.contracts.pos import POS
from shared.contracts.profile import ERASURE
from shared.contracts.topics import PURCHASES
from shared.runtime.rules import Service
from shared.runtime.service import run

SERVICE = Service(name="turnover", rules=rules, inputs={PURCHASES: POS}, sisters={"profile": ERASURE})

if __name__ == "__main__":
    run(SERVICE, routes)
