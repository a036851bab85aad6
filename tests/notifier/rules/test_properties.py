"""Whatever comes, in whatever order: nobody is told what they did not want, at night, twice, or too often."""

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.notifier import hours
from services.notifier.policy import QUIET, RECEIPT, refusal
from shared.rulebook.entry import Entry, Note
from tests.notifier.rules import world
from tests.notifier.rules.world import TIERS, Customer, at, the_programme, told

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
START = at("2010-03-20T08:00:00Z")  # clocks change in March and November
OUTCOMES = ("sent", "sent", "sent", "retry", "retry", "rejected", "no_address", "unrenderable")
TOLD = ("TierChanged.v1", "BenefitUnlocked.v1", "PointsExpiring.v1", "PointsRedeemed.v1")
names = st.sampled_from(["", "email", "push", "email push", "email sms push"])
leaps = st.sampled_from([1, 30, 60, 4 * 60, 12 * 60, 24 * 60, 49 * 60, 8 * 24 * 60, 250 * 24 * 60])


class Life(RuleBasedStateMachine):
    """A customer's life, with a sender that takes a message and reports what became of it in one step."""

    def __init__(self) -> None:
        super().__init__()
        self.customer = Customer(the_programme())
        self.time = START
        self.tier = 0
        self.left = False
        self.unlocked: set[str] = set()

    def say(self, raw: dict[str, Any]) -> None:
        """A sister says something; what customers are told of leads to something. Duplicates are the runtime's."""
        entries = self.customer.take(raw)
        assert entries or self.left or raw["type"] not in TOLD

    @property
    def when(self) -> str:
        return self.time.isoformat()

    @initialize(tick=st.booleans(), known=st.booleans())
    def begins(self, tick: bool, known: bool) -> None:
        if tick:
            self.customer.take(world.tick(self.when))
        if known:
            self.say(world.preferences(self.when, known="email push", reminders=True))

    @rule(minutes=leaps, tick=st.booleans())
    def time_goes_by(self, minutes: int, tick: bool) -> None:
        self.time += timedelta(minutes=minutes)
        if tick:
            self.customer.take(world.tick(self.when))

    @rule(consent=st.booleans(), reminders=st.booleans(), known=names, off=names, zone=st.sampled_from(ZONES))
    def wishes(self, **fields: Any) -> None:
        if not self.left:
            self.say(world.preferences(self.when, **fields))

    @rule(missing=st.sets(st.sampled_from(["email", "phone"])))
    def fills_in(self, missing: set[str]) -> None:
        if not self.left:
            self.say(world.completion(*sorted(missing), when=self.when))

    @rule(to=st.integers(0, 2), late=st.sampled_from([0, 0, 0, 1, 3]))
    def moves(self, to: int, late: int) -> None:
        if to != self.tier:
            when = (self.time - timedelta(days=late)).isoformat()
            self.say(world.tier(TIERS[self.tier], TIERS[to], when))
            self.tier = to

    @rule(benefits=st.sets(st.sampled_from(["alpha", "beta"]), min_size=1))
    def unlocks(self, benefits: set[str]) -> None:
        for benefit in sorted(benefits):
            lost = benefit in self.unlocked
            self.say((world.locked if lost else world.unlocked)(benefit, self.when))
            self.unlocked ^= {benefit}

    @rule(points=st.integers(1, 5), days=st.sampled_from([7, 30]))
    def expires_soon(self, points: int, days: int) -> None:
        end = self.time + timedelta(days=days)
        self.say(world.expiring(points, end.strftime("%Y-%m-%dT22:00:00Z"), self.when, days))

    @rule(left=st.integers(0, 3))
    def pays(self, left: int) -> None:
        self.say(world.redeemed(2, left, self.when))

    @rule()
    def leaves(self) -> None:
        if not self.left:
            self.say(world.erasure(self.when))
        self.left = True

    @rule()
    def is_gone(self) -> None:
        if self.left:
            self.say(world.erased(self.when))

    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def is_sent(self, data: st.DataObject, outcome: Any) -> None:
        if self.customer.queue:
            identity = data.draw(st.sampled_from(sorted(self.customer.queue)))
            document = self.customer.queue[identity]
            self.customer.decide(self.customer.outcome(identity, document, outcome))

    @invariant()
    def what_is_queued_is_wanted_now(self) -> None:
        customer = self.customer
        for document in customer.queue.values():
            assert refusal(customer.state, document["template"], document["channel"]) is None
            if customer.state.stage:
                assert document["template"] == RECEIPT
            if document["channel"] in QUIET:
                assert customer.now is not None
                assert customer.state.preferences is not None
                assert not hours.quiet(customer.state.preferences.time_zone, customer.now)

    @invariant()
    def one_is_queued_in_each_slot(self) -> None:
        taken = Counter((one["template"], one["channel"]) for one in self.customer.queue.values())
        assert all(count == 1 for count in taken.values())

    @invariant()
    def the_log_makes_the_state(self) -> None:
        assert self.customer.reread() == self.customer.state

    def teardown(self) -> None:
        self.everything_is_accounted_for()
        assert self.customer.rebuilt() == self.customer.state
        self.nobody_is_told_twice()

    def everything_is_accounted_for(self) -> None:
        """After two days without another cause nothing is open but reminders; each message has ended once."""
        self.customer.take(world.tick(self.when))
        self.time += timedelta(days=2, minutes=1)
        self.customer.take(world.tick(self.when))
        open_now = [message for slot in self.customer.state.slots.values() for message in (slot.queued, *slot.held)]
        assert all(
            message is None or "profile_reminder" in str(message.params) or self.fresh(message) for message in open_now
        )
        left = {message.id for message in open_now if message is not None}
        ended = Counter(entry.fact.notification_id for entry in events(self.customer))  # type: ignore[union-attr]
        placed = {entry.fact.notification_id for entry in self.customer.log if hasattr(entry.fact, "until")}  # type: ignore[union-attr]
        assert placed - left <= ended.keys()
        assert self.ended_once(ended)

    def fresh(self, message: Any) -> bool:
        return message.at >= self.time - timedelta(days=2)

    def ended_once(self, ended: Counter[str]) -> bool:
        return all(count == 1 for count in ended.values())

    def nobody_is_told_twice(self) -> None:
        """One message of a template a day in each channel, and one for each cause."""
        sent = [entry for entry in events(self.customer) if told(entry).startswith("sent")]
        zones = {self.customer.state.preferences.time_zone} if self.customer.state.preferences else set(ZONES)
        if len(zones) == 1 and not self.travelled():
            (zone,) = zones
            days = Counter((told(entry), hours.local_day(zone, entry.occurred_at)) for entry in sent)
            assert all(count == 1 for count in days.values()), days
        causes = Counter((told(entry), entry.cause.id) for entry in sent)
        assert all(count == 1 for count in causes.values()), causes

    def travelled(self) -> bool:
        zones = {
            entry.memo.preferences.time_zone
            for entry in self.customer.log
            if entry.memo and getattr(entry.memo, "preferences", None)
        }
        return len(zones) > 1


class Overlapping(Life):
    """The same with a sender that takes messages and reports later, when they may have been withdrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[tuple[str, int], dict[str, Any]] = {}

    @rule()
    def is_taken(self) -> None:
        for identity, document in self.customer.queue.items():
            self.taken.setdefault((identity, document["attempt"]), document)

    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def is_reported(self, data: st.DataObject, outcome: Any) -> None:
        if self.taken:
            key = data.draw(st.sampled_from(sorted(self.taken)))
            self.customer.decide(self.customer.outcome(key[0], self.taken.pop(key), outcome))

    def ended_once(self, ended: Counter[str]) -> bool:
        """What was withdrawn while it was on its way may be told as sent afterwards."""
        sent = Counter(
            entry.fact.notification_id  # type: ignore[union-attr]
            for entry in events(self.customer)
            if told(entry).startswith("sent")
        )
        return all(count == 1 for count in sent.values())

    def nobody_is_told_twice(self) -> None:
        pass


def events(customer: Customer) -> list[Entry]:
    """What is published."""
    return [entry for entry in customer.log if not isinstance(entry.fact, Note)]


_LIFE = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestLife = Life.TestCase
TestLife.settings = _LIFE
TestOverlapping = Overlapping.TestCase
TestOverlapping.settings = _LIFE
