"""What the page says, and when."""

from services.portal import model
from services.portal.chart import ABOVE, BELOW, chart
from tests.portal import samples
from tests.portal.samples import completion, earned, locked, lot, sale, standing, totals
from tests.portal.world import Customer


def benefit(shown: model.MyBonus, name: str) -> model.Benefit:
    """The benefit of that id."""
    return next(one for one in shown.benefits if one.benefit == name)


def test_nobody_who_is_new_is_left_without_a_page() -> None:
    shown = Customer().shows(now="2026-03-01")
    assert (shown.known, shown.completion, shown.reminders, shown.card) == (False, None, None, None)
    assert (shown.turnover.tier.id, shown.turnover.to_next_minor, shown.turnover.year) == ("bronze", 500_00, 2026)
    assert shown.months == []
    assert {one.status for one in shown.benefits} == {"locked"}


def test_the_amount_to_the_next_tier_is_exact() -> None:
    shown = samples.busy().shows()
    assert (shown.turnover.turnover_minor, shown.turnover.to_next_minor) == (529_94, 1470_06)
    assert shown.turnover.next_tier is not None
    assert (shown.turnover.next_tier.label, shown.turnover.next_tier.rank) == ("Gold", 2)
    assert str(shown.turnover.last_day) == "2027-12-31"


def test_at_the_top_there_is_no_next_tier() -> None:
    shown = samples.complete().shows()
    assert (shown.turnover.next_tier, shown.turnover.to_next_minor) == (None, None)


def test_a_missing_field_names_what_it_unlocks_and_what_that_is_worth() -> None:
    shown = samples.fresh().shows()
    assert shown.completion is not None
    birthday = next(field for field in shown.completion.missing if field.field == "birthday")
    assert (birthday.label, birthday.kind) == ("Date of birth", "date")
    gift = birthday.unlocks[0]
    assert (gift.label, gift.points, gift.value_minor, gift.every) == ("Birthday gift", 250, 250, "birthday")


def test_the_warning_stands_only_when_a_benefit_waits_for_the_profile_alone() -> None:
    def waiting(customer: Customer) -> list[str]:
        shown = customer.shows()
        assert shown.completion is not None
        return [one.benefit for one in shown.completion.waiting]

    assert waiting(samples.fresh()) == []  # the tier is missing as well
    assert waiting(samples.busy()) == ["free_delivery", "year_coupon"]
    assert waiting(samples.complete()) == []


def test_a_benefit_says_every_reason_for_which_it_is_locked() -> None:
    shown = samples.fresh().shows()
    reasons = [(one.kind, one.id, one.to_go_minor) for one in benefit(shown, "personal_shopper").reasons]
    assert reasons == [("tier", "gold", 2000_00), ("profile", None, None)]


def test_what_the_profile_has_met_is_no_reason_any_more_though_the_ledger_has_not_spoken() -> None:
    customer = samples.busy().hears("profile", "CompletionChanged.v1", **completion(*samples.FIELDS))
    shown = customer.shows()
    assert benefit(shown, "free_delivery").status == "unlocking"
    assert benefit(shown, "catalogue").status == "unlocking"
    assert [one.kind for one in benefit(shown, "personal_shopper").reasons] == ["tier"]
    customer.hears("ledger", "BenefitUnlocked.v1", benefit="free_delivery", kind="perk")
    assert benefit(customer.shows(), "free_delivery").status == "available"


def test_a_higher_tier_than_needed_is_no_reason_either() -> None:
    customer = samples.complete()
    customer.hears("ledger", "BenefitLocked.v1", **locked("free_delivery", "perk", ("tier", "silver")))
    assert benefit(customer.shows(), "free_delivery").status == "unlocking"


def test_a_benefit_of_which_the_ledger_has_said_nothing_is_locked_by_the_programmes_terms() -> None:
    customer = Customer().hears("profile", "CompletionChanged.v1", **completion("email"))
    shown = customer.shows()
    assert benefit(shown, "welcome_points").reasons == []
    assert benefit(shown, "welcome_points").status == "locked"
    assert [one.id for one in benefit(shown, "birthday_gift").reasons] == ["birthday"]


def test_a_benefit_that_is_not_offered_any_more_is_not_shown() -> None:
    customer = samples.fresh().hears("ledger", "BenefitRevoked.v1", benefit="catalogue", kind="perk")
    assert "catalogue" not in [one.benefit for one in customer.shows().benefits]


def test_a_coupon_is_worth_its_amount_once_it_is_out_and_percents_before() -> None:
    before, after = samples.fresh().shows(), samples.complete().shows()
    assert (benefit(before, "year_coupon").percent_of_turnover, benefit(before, "year_coupon").value_minor) == (
        "2",
        None,
    )
    assert (benefit(after, "year_coupon").percent_of_turnover, benefit(after, "year_coupon").value_minor) == (
        None,
        2400,
    )
    assert str(benefit(after, "year_coupon").last_day) == "2026-07-31"


def test_points_that_come_on_one_day_are_one_line_and_so_are_those_that_go() -> None:
    customer = Customer()
    for number, have in (("1", 10), ("2", 30)):
        this = lot(number, have, have, "2026-03-24", "2027-03-24")
        why = samples.by_purchase(number, 10_00)
        customer.hears("ledger", "PointsEarned.v1", **earned(number, have, totals(0, 40), this, why))
    points = customer.shows().points
    assert [(one.points, str(one.day)) for one in points.coming] == [(40, "2026-03-24")]
    assert points.going == []


def test_the_chart_has_thirteen_months_and_its_highest_bars_fill_their_room() -> None:
    drawn = chart(samples.busy().shows().months)
    assert drawn is not None
    assert [bar.month.month for bar in drawn.bars][0::12] == ["2025-05", "2026-05"]
    assert (max(bar.spent for bar in drawn.bars), max(bar.earned for bar in drawn.bars)) == (ABOVE, BELOW)
    small = next(bar for bar in drawn.bars if bar.month.month == "2026-05")
    assert small.spent == 2  # 9.99 of 480.00 would not be seen


def test_without_turnover_or_points_there_is_no_chart() -> None:
    assert chart([]) is None
    customer = Customer().hears("turnover", "TurnoverRecorded.v1", **sale("1", 0, standing(0)))
    assert chart(customer.shows().months) is None
