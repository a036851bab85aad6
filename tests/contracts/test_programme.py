"""A programme document: taken when it holds together, refused with every fault otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.contracts.coherence import ProgrammeError, conflicts, parse_programme, read_programme
from shared.contracts.duration import Duration
from shared.contracts.programme import Coupon, ProgrammeVersion
from shared.contracts.records import canonical

DEFAULT = Path(__file__).parents[2] / "deploy" / "programme.yaml"


def document(**changes: Any) -> dict[str, Any]:
    """The default programme with other values at dotted paths."""
    whole: dict[str, Any] = yaml.safe_load(DEFAULT.read_text())
    for path, value in changes.items():
        at: Any = whole
        *steps, last = path.split("__")
        for step in steps:
            at = at[int(step) if isinstance(at, list) else step]
        at[int(last) if isinstance(at, list) else last] = value
    return whole


def faults(**changes: Any) -> list[str]:
    with pytest.raises(ProgrammeError) as refused:
        parse_programme(document(**changes))
    return refused.value.faults


def version(**changes: Any) -> ProgrammeVersion:
    return parse_programme(document(**changes))


def test_the_default_programme_is_taken():
    programme = version()
    assert [tier.from_minor for tier in programme.tiers] == [0, 50_000, 200_000]
    assert programme.points.pending == Duration(days=14)
    assert [benefit.id for benefit in programme.benefits if isinstance(benefit, Coupon)] == ["year_coupon"]


def test_a_programme_travels_as_json_and_stays_what_it_is():
    programme = version()
    assert read_programme(canonical(programme)) == programme


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": 0}, "version: is no version: an integer from 1"),
        ({"effective_from": 20100101}, "effective_from: is no day"),
        ({"currency": "EURO"}, "currency: is no currency code"),
        ({"time_zone": "Berlin"}, "time_zone: is no time zone"),
        ({"time_zone": "localtime"}, "time_zone: is no time zone"),
        ({"turnover__window": "fortnight"}, "turnover.window: is not 'calendar_year' or 'rolling_12_months'"),
        ({"turnover__window": "rolling_12_months"}, "turnover.status_validity: is not none"),
        ({"turnover__status_validity": "none"}, "turnover.status_validity: is not end_of_next_year"),
        ({"returns__window": "-P1D"}, "returns.window: is below zero"),
        ({"points__pending": "P-1D"}, "points.pending: is below zero"),
        ({"points__pending": 14}, "points.pending: "),
        ({"points__expiry": "12 months"}, "points.expiry: is no duration of ISO 8601"),
        ({"points__hold": "PT0S"}, "points.hold: is not above zero"),
        ({"points__per_minor": 0}, "points.per_minor: "),
        ({"tiers": []}, "tiers: is empty"),
        ({"tiers__0__from_minor": 1}, "tiers.0.from_minor: is not 0"),
        ({"tiers__2__from_minor": 50_000}, "tiers.2.from_minor: does not ascend"),
        ({"tiers__1__from_minor": 500.5}, "tiers.1.from_minor: is no integer"),
        ({"tiers__1__earn_multiplier": 1.25}, "tiers.1.earn_multiplier: is no decimal string"),
        ({"tiers__1__id": "bronze"}, "tiers.1.id: bronze is there twice"),
        ({"tiers__1__label": {"en": "Silver", "de": "Silber"}}, "tiers.1.label.ru: is missing"),
        ({"tiers__1__label__ru": "  "}, "tiers.1.label.ru: is blank"),
        ({"profile__fields__0__kind": "colour"}, "profile.fields.0.kind: "),
        ({"profile__fields__1__id": "email"}, "profile.fields.1.id: email is there twice"),
        ({"profile__fields__2__kind": "text"}, "benefits.1.every: needs a field birthday of kind date"),
        ({"benefits__0__kind": "wish"}, "benefits.0.kind: is unknown"),
        ({"benefits__0__points": 0}, "benefits.0.points: "),
        ({"benefits__0__pionts": 1}, "benefits.0.pionts: is unknown"),
        ({"benefits__0__requires": {"fields": ["shoe"]}}, "benefits.0.requires.fields.0: shoe is no field"),
        ({"benefits__4__requires": {"tier": "tin"}}, "benefits.4.requires.tier: tin is no tier"),
        ({"benefits__2__id": "catalogue"}, "benefits.3.id: catalogue is there twice"),
        ({"benefits__2__every": "birthday"}, "benefits.2.every: "),
        ({"benefits__5__value_minor": 500}, "benefits.5.value_minor: either this or percent_of_turnover"),
        ({"benefits__5__percent_of_turnover": None}, "benefits.5.value_minor: either this or percent_of_turnover"),
        ({"reminders__at": 600}, "reminders.at: is no time of day"),
        ({"reminders__every": "P0D"}, "reminders.every: is not above zero"),
        ({"reminder": {}}, "reminder: is unknown"),
    ],
)
def test_a_fault_is_named_by_its_path_and_nothing_else_is(changes: dict[str, Any], fault: str):
    found = faults(**changes)
    assert found[0].startswith(fault)
    gone = {"tiers", "tiers__1__id", "profile__fields__1__id"}  # which benefits miss
    assert len(found) == 1 or changes.keys() <= gone


def test_every_fault_is_listed_and_none_hides_another():
    found = faults(
        points__hold="-PT1M",
        tiers__1__label={"en": "Silver"},
        tiers__2__from_minor=10,
        benefits__0__requires={"fields": ["shoe"], "tier": "tin"},
        benefits__4__kind="wish",
        time_zone=None,
    )
    assert {fault.split(":")[0] for fault in found} == {
        "points.hold",
        "tiers.1.label.de",
        "tiers.1.label.ru",
        "tiers.2.from_minor",
        "benefits.0.requires.tier",
        "benefits.0.requires.fields.0",
        "benefits.4.kind",
        "time_zone",
    }


@pytest.mark.parametrize("value", [None, [], "version: 1", 1, {"version": object()}, {"version": float("nan")}])
def test_what_is_no_document_is_refused(value: object):
    with pytest.raises(ProgrammeError, match="record: "):
        parse_programme(value)


@pytest.mark.parametrize("value", [None, b"", b"null", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused_on_the_topic(value: bytes | None):
    with pytest.raises(ProgrammeError, match="record: "):
        read_programme(value)


def test_a_document_that_holds_itself_is_refused():
    endless = document()
    endless["again"] = endless
    with pytest.raises(ProgrammeError, match="record: holds what JSON cannot say"):
        parse_programme(endless)


def test_a_service_ignores_names_that_a_newer_one_brought():
    assert read_programme(json.dumps(document(effective_from="2010-01-01", quests=[])).encode()) == version()


def test_a_later_version_may_change_the_rules_but_not_what_is_fixed():
    first = version()
    assert conflicts([first], version(version=2, effective_from="2011-01-01", tiers__1__from_minor=60_000)) == []
    moved = version(
        version=2, effective_from="2011-01-01", currency="CHF", time_zone="Europe/Zurich", turnover__basis="net"
    )
    assert [fault.split(":")[0] for fault in conflicts([first], moved)] == ["currency", "time_zone", "turnover.basis"]
    rolling = version(
        version=2, effective_from="2011-01-01", turnover__window="rolling_12_months", turnover__status_validity="none"
    )
    assert [fault.split(":")[0] for fault in conflicts([first], rolling)] == ["turnover.window"]


def test_a_number_is_taken_once_but_the_same_version_may_come_again():
    first = version()
    assert conflicts([first], version()) == []
    assert conflicts([first], version(points__per_minor=50)) == ["version: 1 exists with other content"]


def test_versions_come_into_force_in_the_order_of_their_numbers():
    first, third = version(), version(version=3, effective_from="2012-01-01")
    early, late = version(version=2, effective_from="2009-12-31"), version(version=2, effective_from="2012-01-02")
    assert conflicts([first, third], early) == ["effective_from: is out of order with 2010-01-01 of version 1"]
    assert conflicts([first, third], late) == ["effective_from: is out of order with 2012-01-01 of version 3"]


def test_a_version_may_take_the_place_of_one_that_starts_on_the_same_day():
    assert conflicts([version()], version(version=2)) == []
