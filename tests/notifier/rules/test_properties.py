"""Whatever comes, in whatever order: nobody is told what they did not want, at night, twice, or too often.

What is right is worked out here from what the sisters said and the customer's clock on the wall, by nothing of the
code under test.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.notifier import rules
from shared.contracts.notifier import NotificationSent
from shared.rulebook.entry import Entry, Note
from tests.notifier.rules import world
from tests.notifier.rules.world import CUSTOMER, TIERS, Customer, at, the_programme, told

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
START = at("2010-03-20T08:00:00Z")  # clocks change in March and November
OUTCOMES = ("sent", "sent", "sent", "sent", "retry", "retry", "rejected", "no_address", "unrenderable")
TOLD = ("TierChanged.v1", "BenefitUnlocked.v1", "PointsExpiring.v1", "PointsRedeemed.v1")
WALL = ("00:00", "08:59", "09:00", "10:00", "12:00", "20:59", "21:00", "23:59")
TWO_DAYS = timedelta(days=2)
known = st.sampled_from(["email push", "email push", "email sms push", "email", "push", ""])
off = st.sampled_from(["", "", "", "email", "push"])
mostly = st.sampled_from([True, True, True, False])
fields = st.sets(st.sampled_from(["email", "phone"]))
DAY = 24 * 60
leaps = st.sampled_from([1, 30, 60, 60, 4 * 60, 4 * 60, DAY // 2, DAY, DAY, 2 * DAY + 60, 8 * DAY, 8 * DAY, 250 * DAY])


class Life(RuleBasedStateMachine):
    """A customer's life, with a sender that takes a message and reports what became of it in one step."""

    def __init__(self) -> None:
        super().__init__()
        self.customer = Customer(the_programme())
        self.time = START
        self.moved: datetime | None = None  # the newest time of the clock, or of what turnover or the ledger said
        self.prompt = False
        self.versions = Counter[str]()
        self.wishes: dict[str, Any] | None = None
        self.journeys = 0
        self.missing: set[str] | None = None
        self.tier, self.tier_at = 0, START - timedelta(days=9)
        self.left = self.gone = False
        self.unlocks = Counter[str]()
        self.unlocked: set[str] = set()
        self.last: dict[tuple[str, str], tuple[int, date, dict[str, Any]]] = {}
        self.reminded: tuple[int, date] | None = None
        self.told: set[tuple[str, ...]] = set()

    # What comes.

    def say(self, raw: dict[str, Any]) -> None:
        """A sister says something; what customers are told of leads to something. Duplicates are the runtime's."""
        self.versions[raw["service"]] += 1
        entries = self.customer.take(raw)
        if raw["service"] != "profile" and entries:  # what leads to nothing is forgotten, its time too
            self.move(raw["occurred_at"])
        self.look(entries)
        if raw["type"] in TOLD and not self.left:
            cause = f"{raw['service']}/{CUSTOMER}/{self.versions[raw['service']]}"
            assert any(entry.cause.id == cause for entry in entries) or self.is_named(raw)
        self.goes_on()

    def is_named(self, raw: dict[str, Any]) -> bool:
        """Whether a message names a benefit already: one of the same moment, that was made for another."""
        return any(raw.get("benefit") in benefits(document["params"]) for document in self.customer.queue.values())

    def tick(self) -> None:
        """The clock moves on; a customer for whom nothing is due then is left alone, as by the runtime."""
        self.move(self.when)
        due = rules.due_at(self.customer.state, self.customer.programme)
        if due is not None and due <= self.time:
            self.look(self.customer.take(world.tick(self.when)))
        self.customer.tick = self.time
        self.goes_on()

    def move(self, when: str) -> None:
        self.moved = max(at(when), self.moved or at(when))

    def look(self, entries: list[Entry], left: str | None = None) -> None:
        """Reminders are due at ten on the wall, seven days after the one before or later. `left`: the zone before."""
        for entry in entries:
            if entry.cause.type == "Clock" and getattr(entry.fact, "what", None) == "reminders":
                due = datetime.fromisoformat(entry.cause.id)
                if left is not None and due.astimezone(ZoneInfo(left)).time() == time(10):
                    self.reminded = None
                    continue
                local = self.local(due)
                assert (local.hour, local.minute, local.second) == (10, 0, 0)
                if self.reminded is not None and self.reminded[0] == self.journeys:
                    assert local.date() - self.reminded[1] >= timedelta(days=7)
                self.reminded = self.journeys, local.date()

    @property
    def when(self) -> str:
        return self.time.isoformat()

    def local(self, when: datetime) -> datetime:
        """On the customer's wall."""
        return when.astimezone(ZoneInfo(self.wishes["zone"] if self.wishes else ZONES[0]))

    @initialize(tick=st.booleans(), zone=st.none() | st.sampled_from(ZONES), missing=fields, prompt=st.booleans())
    def begins(self, tick: bool, zone: str | None, missing: set[str], prompt: bool) -> None:
        self.prompt = prompt
        if tick:
            self.tick()
        if zone is not None:
            self.wish(known="email push", reminders=True, zone=zone)
            self.fills_in(missing)

    def wish(self, **wishes: Any) -> None:
        wishes = {"consent": True, "reminders": False, "off": ""} | wishes
        self.versions["profile"] += 1
        entries = self.customer.take(world.preferences(self.when, **wishes))
        left = self.wishes["zone"] if self.wishes and self.wishes["zone"] != wishes["zone"] else None
        self.journeys += left is not None
        self.wishes = wishes
        self.look(entries, left)
        self.goes_on()

    def goes_on(self) -> None:
        """A prompt sender leaves nothing in the queue."""
        if self.prompt:
            self.what_is_queued_is_wanted_now()
            self.what_is_queued_is_true_now()
            self.what_waits_has_a_reason()
            self.is_sent("sent")

    @rule(minutes=leaps, tick=st.booleans())
    def time_goes_by(self, minutes: int, tick: bool) -> None:
        self.time += timedelta(minutes=minutes)
        if tick:
            self.tick()

    @rule(wall=st.sampled_from(WALL))
    def it_is(self, wall: str) -> None:
        """The clock on the wall shows this next."""
        local, then = self.local(self.time), time.fromisoformat(wall)
        day = local.date() + timedelta(days=local.time() >= then)
        self.time = datetime.combine(day, then, local.tzinfo).astimezone(UTC)
        self.tick()

    @rule(consent=mostly, reminders=st.booleans(), known=known, off=off, zone=st.sampled_from(ZONES))
    def wants(self, **wishes: Any) -> None:
        if not self.left:
            self.wish(**wishes)

    @rule(missing=fields)
    def fills_in(self, missing: set[str]) -> None:
        if not self.left:
            self.missing = missing
            self.say(world.completion(*sorted(missing), when=self.when))

    @rule(to=st.integers(0, 2), late=st.sampled_from([0, 0, 0, 1, 3]))
    def moves(self, to: int, late: int) -> None:
        if to != self.tier:
            self.tier_at = max(self.tier_at, self.time - timedelta(days=late))  # turnover's own time never goes back
            raw = world.tier(TIERS[self.tier], TIERS[to], self.tier_at.isoformat())
            self.tier = to
            self.say(raw)

    @rule(benefits=st.sets(st.sampled_from(["alpha", "beta"]), min_size=1))
    def unlocks_or_locks(self, benefits: set[str]) -> None:
        for benefit in sorted(benefits):
            lost = benefit in self.unlocked
            self.unlocks[benefit] += not lost
            self.unlocked ^= {benefit}
            self.say((world.locked if lost else world.unlocked)(benefit, self.when))

    @rule(points=st.integers(1, 5), days=st.sampled_from([7, 30]))
    def expires_soon(self, points: int, days: int) -> None:
        end = self.time + timedelta(days=days)
        self.say(world.expiring(points, end.strftime("%Y-%m-%dT22:00:00Z"), self.when, days))

    @rule(left=st.integers(0, 3))
    def pays(self, left: int) -> None:
        self.say(world.redeemed(2, left, self.when))

    @rule(stays=st.integers(0, 9))  # else few lives would be long
    def leaves(self, stays: int) -> None:
        if not self.left and stays == 7:
            self.left = True
            self.say(world.erasure(self.when))

    @rule()
    def is_gone(self) -> None:
        if self.left:
            self.gone = True
            self.say(world.erased(self.when))

    @rule(outcome=st.sampled_from(OUTCOMES))
    def is_sent(self, outcome: Any) -> None:
        for identity, document in sorted(self.customer.queue.items()):
            self.report(identity, document, self.things(document), outcome)

    # What must be true of it.

    def report(self, identity: str, document: dict[str, Any], things: Iterable[str], outcome: Any) -> None:
        """The sender says what became of a message. Nothing that it tells has been told in that channel before."""
        slot = document["template"], document["channel"]
        entries = self.customer.decide(self.customer.outcome(identity, document, outcome))
        self.look(entries)
        for entry in entries:
            if isinstance(entry.fact, NotificationSent):
                for thing in things or (entry.cause.id,):
                    assert (*slot, thing) not in self.told, f"{slot} tells {thing} twice"
                    self.told.add((*slot, thing))
                self.tells(slot, document["params"])

    def things(self, document: dict[str, Any]) -> list[str]:
        """What a message tells: that a benefit was unlocked so many times; of others, the log names the cause."""
        return [f"{benefit} {self.unlocks[benefit]}" for benefit in benefits(document["params"])]

    def tells(self, slot: tuple[str, str], params: dict[str, Any]) -> None:
        """One message of a template a day in each channel, on the wall; who travels may see a day twice."""
        assert not self.told_on(slot, self.now), f"{slot} twice a day"
        self.last[slot] = self.journeys, self.local(self.now).date(), params

    def told_on(self, slot: tuple[str, str], when: datetime) -> bool:
        """Whether that was the day, or one before, of the last message of that template in that channel."""
        journeys, day, _ = self.last.get(slot, (None, date.min, {}))
        return journeys == self.journeys and self.local(when).date() <= day

    @property
    def now(self) -> datetime:
        return self.moved or self.time

    @invariant()
    def what_waits_has_a_reason(self) -> None:
        """It is night, or today's message was sent; and what is sent after that tells something else.

        One that a server has put off may wait for the night that would begin before it is tried again.
        """
        for key, slot in self.customer.state.slots.items():
            template, _, channel = key.partition("/")
            quiet = channel == "push" and not 9 <= self.local(self.now).hour < 21
            if self.wishes is not None and slot.queued is None and slot.held and slot.held[0].attempt == 1:
                assert quiet or self.journeys or self.told_on((template, channel), self.now), key
        for document in self.customer.queue.values():
            name = document["template"], document["channel"]
            if self.told_on(name, document["at"]):
                before, params = self.last[name][2], document["params"]
                assert not set(benefits(before)) & set(benefits(params))
                assert "to_tier" not in params or params["to_tier"] != before["to_tier"]

    @invariant()
    def what_is_queued_is_wanted_now(self) -> None:
        for document in self.customer.queue.values():
            assert self.wanted(document["template"], document["channel"]), document
            assert self.moved is None or document["at"] >= self.moved - TWO_DAYS
            if document["channel"] in ("sms", "push"):
                assert self.moved is not None
                assert 9 <= self.local(self.moved).hour < 21

    def wanted(self, template: str, channel: str) -> bool:
        """Whether the customer wants this, by what they and their profile said last."""
        if self.wishes is None or channel not in self.wishes["known"].split() or channel in self.wishes["off"].split():
            return False
        if self.left:
            return template == "erasure_receipt" and not self.gone
        if template == "profile_reminder":
            return self.wishes["consent"] and self.wishes["reminders"] and bool(self.missing)
        return self.wishes["consent"] and template != "erasure_receipt"

    @invariant()
    def what_is_queued_is_true_now(self) -> None:
        for document in self.customer.queue.values():
            params = document["params"]
            assert set(benefits(params)) <= self.unlocked
            if document["template"] == "tier_changed":
                assert TIERS[self.tier] != params["from_tier"] != params["to_tier"]
            if document["template"] == "profile_reminder":
                assert {one["field"] for one in params["missing"]} == self.missing

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

    def everything_is_accounted_for(self) -> None:
        """After two days without another cause nothing is open but reminders; each message has ended once."""
        self.tick()
        last = self.time
        self.time += timedelta(days=2, minutes=1)
        self.tick()
        open_now = [message for slot in self.customer.state.slots.values() for message in (slot.queued, *slot.held)]
        left = {message.id for message in open_now if message is not None}
        assert all(message is None or message.at > last for message in open_now), "only reminders came since"
        ends = defaultdict[str, list[str]](list)
        for entry in events(self.customer):
            ends[entry.fact.notification_id].append(told(entry).split()[0])  # type: ignore[union-attr]
        placed = {entry.fact.notification_id for entry in self.customer.log if hasattr(entry.fact, "until")}  # type: ignore[union-attr]
        assert placed - left <= ends.keys()
        assert not left & ends.keys()
        assert all(self.is_an_end(found) for found in ends.values()), ends

    def is_an_end(self, found: list[str]) -> bool:
        return len(found) == 1


class Overlapping(Life):
    """The same with a sender that takes messages and reports later, when they may have been withdrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[tuple[str, int], tuple[dict[str, Any], list[str]]] = {}

    @rule()
    def is_taken(self) -> None:
        for identity, document in self.customer.queue.items():
            self.taken.setdefault((identity, document["attempt"]), (document, self.things(document)))

    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def is_reported(self, data: st.DataObject, outcome: Any) -> None:
        if self.taken:
            key = data.draw(st.sampled_from(sorted(self.taken)))
            self.report(key[0], *self.taken.pop(key), outcome)

    def told_on(self, slot: tuple[str, str], when: datetime) -> bool:
        """What was on its way when it was withdrawn arrives for all that, on the day of what is sent instead."""
        return False

    @invariant()
    def what_waits_has_a_reason(self) -> None:
        """Nor can be said here when it was told."""

    def is_an_end(self, found: list[str]) -> bool:
        """What was withdrawn or given up while it was on its way may be told as sent afterwards."""
        return len(found) == 1 or (found[0] != "sent" and found[1:] == ["sent"])


def benefits(params: dict[str, Any]) -> list[str]:
    """Those that a message names."""
    return [one["benefit"] for one in params.get("benefits", ())]


def events(customer: Customer) -> list[Entry]:
    """What is published."""
    return [entry for entry in customer.log if not isinstance(entry.fact, Note)]


_LIFE = settings(max_examples=200, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
TestLife = Life.TestCase
TestLife.settings = _LIFE
TestOverlapping = Overlapping.TestCase
TestOverlapping.settings = _LIFE
