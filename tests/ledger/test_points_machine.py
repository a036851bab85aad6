"""Anything that can happen to a customer's points, in any order: the books always balance and agree with the oracle."""

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from services.ledger import rules
from services.ledger.points.account import Bought, Item
from services.ledger.totals import totals
from shared.contracts.clock import Tick
from shared.contracts.ledger import Movement, PointsHeld
from shared.contracts.profile import ErasureAccepted
from shared.contracts.records import Envelope
from shared.contracts.turnover import TurnoverRecorded, TurnoverReduced
from shared.rulebook.entry import Entry
from shared.runtime.rules import Command, Heard
from tests.ledger.oracle import Oracle
from tests.ledger.world import (
    Customer,
    adjust,
    at,
    capture,
    hold,
    programme_of,
    purchase,
    release,
    returned,
    terms,
)
from tests.turnover.world import stored

# Short spans, so that within fifty steps points wait, expire while they are held, and come back too late.
DOCUMENTS = [
    terms(1, points={"pending": "P2D", "expiry": "P10D"}, tiers={"bronze": 0, "silver": 60_00}),
    terms(2, "2010-03-20", points={"pending": "P0D", "expiry": "P20D", "per_minor": 70, "hold": "PT48H"}),
]
SPANS = [
    timedelta(0),
    timedelta(minutes=10),
    timedelta(hours=9),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=9),
]
LATER = st.sampled_from(SPANS)
SOON = st.sampled_from(SPANS[:3])


class Ledger(RuleBasedStateMachine):
    """Turnover's events wait in a queue, while commands, ticks and profile's events overtake them."""

    steps: int = 0

    @initialize()
    def begin(self) -> None:
        self.customer = Customer(programme_of(*DOCUMENTS))
        self.oracle = Oracle(DOCUMENTS)
        self.folded = rules.initial("c-1")
        self.queue: list[Heard] = []
        self.heard: list[Heard] = []
        self.sums: Counter[str] = Counter()
        self.time = at("2010-03-10")
        self.names = 0
        self.held: list[str] = []
        self.sales: list[str] = []
        self.erased = False
        for minor in (30_00, 20_00, 10_00):
            self.buy(minor, timedelta(hours=9), 0)
        self.tick(timedelta(days=3), again=False)

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    # What tills publish goes through turnover.

    @rule(minor=st.integers(0, 60_00), later=SOON, late=st.sampled_from([0, 0, 0, 1, 20]))
    def buy(self, minor: int, later: timedelta, late: int) -> None:
        self.time += later
        self.publish(purchase(name := self.name(), minor, (self.time - timedelta(days=late)).isoformat()))
        self.sales.append(name)

    @rule(minor=st.integers(1, 30_00), later=SOON, which=st.integers(0, 4))
    def buy_with_points(self, minor: int, later: timedelta, which: int) -> None:
        self.time += later
        redemption = ["unknown", *self.held][-1 - which % (len(self.held) + 1)]
        self.publish(purchase(name := self.name(), minor, self.time.isoformat(), redemption_id=redemption))
        self.sales.append(name)

    @precondition(lambda self: self.sales)
    @rule(which=st.integers(0, 50), minor=st.sampled_from([1, 3_33, 10_00, 60_00]), later=SOON)
    def give_back(self, which: int, minor: int, later: timedelta) -> None:
        self.time += later
        self.publish(returned(self.name(), minor, self.sales[-1 - which % len(self.sales)], self.time.isoformat()))

    @rule(minor=st.integers(1, 5_00))
    def give_back_something(self, minor: int) -> None:
        self.publish(returned(self.name(), minor, None, self.time.isoformat()))

    def publish(self, raw: dict[str, Any]) -> None:
        self.queue += self.customer.through_turnover(raw)
        self.deliver(2)

    @rule(most=st.integers(1, 5))
    def deliver(self, most: int) -> None:
        for one in self.queue[:most]:
            fact, number = one.fact, one.envelope.programme_version or 0
            self.settle(one)
            match fact:
                case _ if self.erased:
                    pass
                case TurnoverRecorded():
                    self.oracle.sold(
                        f"p:s-1/{fact.purchase_id}",
                        one.envelope.occurred_at,
                        fact.amount_minor,
                        fact.tier,
                        number,
                        fact.redemption_id,
                    )
                case TurnoverReduced(purchase_id=None):
                    self.oracle.returned_unnamed(fact.amount_minor, number)
                case TurnoverReduced():
                    self.oracle.returned(f"p:s-1/{fact.purchase_id}", fact.purchase_remaining_minor or 0)
                case _:
                    pass
            self.take(one)
        self.heard += self.queue[:most]
        self.queue = self.queue[most:]

    @precondition(lambda self: self.heard)
    @rule(which=st.integers(0, 20))
    def deliver_again(self, which: int) -> None:
        assert self.customer.take_message(self.heard[which % len(self.heard)]) == []

    # Tills and staff.

    @precondition(lambda self: self.customer.balance["available"])
    @rule(share=st.integers(1, 9))
    def hold(self, share: int) -> None:
        points = self.customer.balance["available"] * share // 8 or 1
        asked = hold(name := self.name(), points, self.time.isoformat())
        self.settle(asked)
        hours = Fraction(48) if self.oracle.now and self.oracle.now >= at("2010-03-19T23:00:00Z") else Fraction(1, 4)
        good = not self.erased and self.oracle.hold(name, points, hours)
        self.take(asked)
        assert self.status == (201 if good else 410 if self.erased else 409)
        if good:
            self.held.append(name)
        else:
            assert self.erased or self.body["available"] == self.customer.balance["available"]

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 3), points=st.none() | st.integers(1, 30))
    def capture(self, which: int, points: int | None) -> None:
        name = self.held[-1 - which % len(self.held)]
        asked = capture(name, points, self.time.isoformat())
        self.settle(asked)
        good = not self.erased and self.oracle.capture(name, points)
        self.take(asked)
        assert (self.status == 200) == good

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 3))
    def release(self, which: int) -> None:
        name = self.held[-1 - which % len(self.held)]
        asked = release(name, self.time.isoformat())
        self.settle(asked)
        if not self.erased:
            self.oracle.release(name)
        self.take(asked)

    @rule(points=st.integers(-20, 20).filter(bool))
    def adjust(self, points: int) -> None:
        asked = adjust(points, when=self.time.isoformat())
        self.settle(asked)
        good = False
        if not self.erased:
            assert self.oracle.now is not None
            number = 2 if self.oracle.now >= at("2010-03-19T23:00:00Z") else 1
            good = self.oracle.adjust(points, number, f"a:{asked.command_id}")
        self.take(asked)
        assert (self.status == 200) == good

    # Time and profile.

    @rule(later=LATER, again=st.booleans())
    def tick(self, later: timedelta, again: bool) -> None:
        self.time += later
        for _ in range(1 + again):
            self.settle(tick := Tick(now=self.time))
            self.take(tick)
        self.queue += self.customer.through_turnover({"type": "Tick.v1", "now": self.time.isoformat()})

    @precondition(lambda self: self.names > 40)
    @rule()
    def erase(self) -> None:
        message = self.customer.profile(ErasureAccepted(receipt_id="e"), self.time.isoformat())
        self.settle(message)
        if not self.erased:
            self.oracle.erase()
        self.erased = True
        self.take(message)

    # How.

    def settle(self, message: Any) -> None:
        """The oracle's time is that of the rules, which is tested elsewhere."""
        if not self.erased:
            self.oracle.settle(rules.now(self.customer.state, message, self.customer.tick))

    def take(self, message: Heard | Command | Tick) -> None:
        before = self.customer.state
        entries = self.customer.take_message(message)
        self.check_spending(before, entries)
        for name, amount in totals(before, self.customer.state).items():
            self.sums[name] += amount
        for entry in entries:
            text = stored(entry, 1)
            memo = msgspec.json.decode(msgspec.json.encode(entry.memo), type=rules.Memo | None)
            read = Envelope.model_validate_json(text)
            fact = rules.FACTS.validate_json(text)
            again = Entry(fact, read.occurred_at, read.cause, read.programme_version, memo)
            self.folded = rules.evolve(self.folded, again)
        self.folded = replace(self.folded, memory=self.folded.memory.settled())
        if not self.erased:
            self.oracle.settle(self.oracle.now or self.time)

    def check_spending(self, state: rules.State, entries: list[Entry]) -> None:
        for entry in entries:
            if isinstance(entry.fact, PointsHeld):
                taken = {lot.lot_id for lot in entry.fact.lots}
                left = [lot.expires_at for lot in state.points.lots if lot.id not in taken]
                most = max([lot.expires_at for lot in state.points.lots if lot.id in taken])
                assert all(most <= other for other in left), "a lot was spent before one that expires earlier"
            state = rules.evolve(state, entry)

    @property
    def status(self) -> int:
        assert self.customer.reply is not None
        return self.customer.reply.status

    @property
    def body(self) -> Any:
        assert self.customer.reply is not None
        return self.customer.reply.body

    # What always holds.

    @invariant()
    def every_movement_sums_to_zero(self) -> None:
        type(self).steps += 1
        for entry in self.customer.log[-10:]:
            if isinstance(entry.fact, Movement):
                assert sum(one.points for one in entry.fact.postings) == 0
                assert [one for one in entry.fact.postings if not one.points] == []

    @invariant()
    def the_balance_is_that_of_the_oracle(self) -> None:
        oracle, accounts = self.oracle, self.customer.state.points.accounts
        assert min(self.customer.balance.values()) >= 0
        assert (accounts.pending, accounts.available, accounts.held) == (oracle.pending, oracle.available, oracle.held)
        assert (-accounts.owed, accounts.redeemed, accounts.expired) == (oracle.owed, oracle.redeemed, oracle.expired)
        assert -accounts.programme == oracle.given

    @invariant()
    def lots_are_those_of_the_oracle(self) -> None:
        points = self.customer.state.points
        kept = {(lot.id, lot.remaining, True) for lot in points.pending}
        kept |= {(lot.id, lot.remaining, False) for lot in points.lots}
        theirs = {(lot.id, lot.free, lot.waits) for lot in self.oracle.lots if lot.free}
        assert {one for one in kept if one[0][:2] != "o:"} == {one for one in theirs if one[0] != "lent"}

    @invariant()
    def a_purchase_is_worth_what_is_left_of_it(self) -> None:
        for key, item in msgspec.msgpack.decode(self.customer.state.memory.stored, type=dict[str, Item]).items():
            if isinstance(item, Bought):
                assert item.points == self.oracle.sales[key].worth
                assert item.expired == self.oracle.sales[key].excused

    @invariant()
    def a_rebuild_is_equal(self) -> None:
        assert self.folded == self.customer.state

    @invariant()
    def sums_by_difference_are_the_sums(self) -> None:
        assert {name: amount for name, amount in self.sums.items() if amount} == {
            name: amount for name, amount in self.customer.totals.items() if amount
        }
        accounts = [amount for name, amount in self.sums.items() if name.startswith("accounts/")]
        assert sum(accounts) == 0


def _run(examples: int, steps: int) -> int:
    Ledger.steps = 0
    quiet = settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(Ledger, settings=quiet)
    return Ledger.steps


@pytest.mark.timeout(600)  # some twenty seconds of a processor that is not busy with other tests
def test_ten_thousand_steps_of_anything() -> None:
    assert _run(240, 60) >= 10_000


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_steps_of_anything() -> None:
    assert _run(1_250, 110) >= 100_000
