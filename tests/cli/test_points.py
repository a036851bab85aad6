"""What the ledger made of a demonstration is counted from its events."""

from deploy.cli.points import Event, Points, count, rows


def test_a_benefit_stands_as_the_newest_event_tells_and_a_perk_may_be_used_again() -> None:
    found = count(
        [
            Event("BenefitLocked.v1", "c-1", 1, benefit="coupon", kind="coupon"),
            Event("BenefitLocked.v1", "c-2", 1, benefit="coupon", kind="coupon"),
            Event("BenefitUnlocked.v1", "c-1", 2, benefit="coupon", kind="coupon"),
            Event("BenefitUsed.v1", "c-1", 3, benefit="coupon", kind="coupon"),
            Event("BenefitUnlocked.v1", "c-1", 4, benefit="delivery", kind="perk"),
            Event("BenefitUsed.v1", "c-1", 5, benefit="delivery", kind="perk"),
            Event("BenefitRevoked.v1", "c-3", 1, benefit="gift", kind="points"),
        ]
    )

    assert found.benefits == {"used": 1, "locked": 1, "available": 1, "revoked": 1}


def test_points_are_earned_once_and_by_what_earns_them_alone() -> None:
    earned = Event("PointsEarned.v1", "c-1", 1, 49)
    found = count([earned, Event("PointsActivated.v1", "c-1", 2, 49), earned])

    assert found.earned == 49
    assert count([]) == Points()


def test_what_is_outstanding_is_shown_by_where_it_is_and_what_it_is_worth() -> None:
    shown = dict(rows(Points(1_500, {"pending": 400, "available": 1_000, "expired": 60, "owed": -40}, 14_00)))

    assert shown["points available"] == "1,000"
    assert shown["points owed by customers"] == "40"
    assert shown["worth of outstanding points"] == "14.00"
