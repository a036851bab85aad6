"""What deployment makes for the services is what they use."""

from deploy.local import provision
from services.notifier.delivery.outbox import MARKS
from services.notifier.views import DELIVERIES
from services.portal.sessions import SESSIONS
from services.portal.views import ACCOUNTS, HISTORY
from services.profile.views import CARDS
from shared.masterkeys.masters import MASTERS
from shared.runtime.owned import KEYS


def test_every_collection_that_a_service_keeps_beside_the_common_ones_is_made() -> None:
    own = {name: set(provision.collections(name)) - set(provision.COLLECTIONS) for name in provision.SERVICES}

    assert own == {
        "profile": {CARDS, KEYS, MASTERS},
        "turnover": set(),
        "ledger": {"redemptions"},
        "notifier": {DELIVERIES, MARKS},
        "portal": {ACCOUNTS, HISTORY, SESSIONS},
    }


def test_sessions_that_have_expired_are_taken_away() -> None:
    (index,) = provision.collections("portal")[SESSIONS]

    assert (list(index.document["key"]), index.document["expireAfterSeconds"]) == (["expires"], 0)
