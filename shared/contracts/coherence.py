"""Whether a programme holds together: with itself, and with the versions before it. Every fault is listed."""

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, Literal, cast

from pydantic import ValidationError

from shared.contracts.programme import PROGRAMME, ProgrammeVersion
from shared.contracts.records import MAX_BYTES, UnreadableError, fault, one_line

Object = dict[str, Any]


class ProgrammeError(UnreadableError):
    """A document that is no programme. `faults`: each as `path: why`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(one_line(faults))
        self.faults = faults


def read_programme(value: bytes | None) -> ProgrammeVersion:
    """The version in a record of the topic `programme`; raises `ProgrammeError`. Unknown names are ignored."""
    try:
        document = json.loads(value or b"null")
    except (ValueError, RecursionError):
        raise ProgrammeError(["record: is no JSON"]) from None
    return parse_programme(document, unknown="ignore")


def parse_programme(document: object, *, unknown: Literal["forbid", "ignore"] = "forbid") -> ProgrammeVersion:
    """The version in a document as YAML or JSON is read; raises `ProgrammeError`.

    `unknown`: what is done with names that are none of ours; in a file that somebody wrote they are mistakes.
    """
    if not isinstance(document, dict):
        raise ProgrammeError(["record: is no object"])
    try:
        text = json.dumps(document, default=_day, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise ProgrammeError(["record: holds what JSON cannot say"]) from None
    found: list[str] = [] if len(text) <= MAX_BYTES else [f"record: is larger than {MAX_BYTES // 1024} KiB"]
    version: ProgrammeVersion | None = None
    try:
        version = PROGRAMME.validate_json(text, extra=unknown)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            if one["loc"][:1] == ("benefits",):  # the third step is the kind of the benefit, not a field of it
                one["loc"] = (*one["loc"][:2], *one["loc"][3:])
            found.append(fault(one))
    found += _incoherences(cast("Object", json.loads(text)))
    if version is None or found:
        raise ProgrammeError(found)
    return version


def conflicts(existing: Iterable[ProgrammeVersion], new: ProgrammeVersion) -> list[str]:
    """Why a version cannot join those which exist, each as `path: why`. A version that is there already can."""
    found: dict[str, None] = {}
    for old in existing:
        if old.version == new.version:
            if old != new:
                found[f"version: {new.version} exists with other content"] = None
            continue
        for path, before, now in (
            ("currency", old.currency, new.currency),
            ("time_zone", old.time_zone, new.time_zone),
            ("turnover.window", old.turnover.window, new.turnover.window),
            ("turnover.basis", old.turnover.basis, new.turnover.basis),
        ):
            if before != now:
                found[f"{path}: never changes, and is {before} in version {old.version}"] = None
        # A version that starts on the day of an older one takes its place, so that a mistake can be put right.
        if (old.version < new.version and old.effective_from > new.effective_from) or (
            old.version > new.version and old.effective_from < new.effective_from
        ):
            found[f"effective_from: is out of order with {old.effective_from} of version {old.version}"] = None
    return list(found)


def _day(value: object) -> str:
    # YAML reads an unquoted day as a date.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise TypeError


def _incoherences(document: Object) -> Iterator[str]:
    # On the raw document, so that a fault in one place does not hide one in another; what is malformed is skipped
    # here, because its model complains.
    tiers, benefits = _objects(document, "tiers"), _objects(document, "benefits")
    fields = _objects(document.get("profile"), "fields")
    yield from _repeated("tiers", tiers)
    yield from _repeated("profile.fields", fields)
    yield from _repeated("benefits", benefits)
    if document.get("tiers") == []:
        yield "tiers: is empty"
    yield from _steps(tiers)
    yield from _turnover(document.get("turnover"))
    kinds = {field.get("id"): field.get("kind") for _, field in fields if isinstance(field.get("id"), str)}
    ids = {tier["id"] for _, tier in tiers if isinstance(tier.get("id"), str)}
    for at, benefit in benefits:
        yield from _benefit(f"benefits.{at}", benefit, ids, kinds)


def _objects(parent: object, name: str) -> list[tuple[int, Object]]:
    items = cast("Object", parent).get(name) if isinstance(parent, dict) else None
    if not isinstance(items, list):
        return []
    return [(at, cast("Object", item)) for at, item in enumerate(cast("list[object]", items)) if isinstance(item, dict)]


def _repeated(path: str, items: list[tuple[int, Object]]) -> Iterator[str]:
    seen: set[str] = set()
    for at, item in items:
        match item.get("id"):
            case str(name) if name in seen:
                yield f"{path}.{at}.id: {name} is there twice"
            case str(name):
                seen.add(name)
            case _:
                pass


def _steps(tiers: list[tuple[int, Object]]) -> Iterator[str]:
    below: int | None = None
    for at, tier in tiers:
        start = tier.get("from_minor")
        if type(start) is not int:
            continue
        if at == 0 and start != 0:
            yield "tiers.0.from_minor: is not 0, where the first tier starts"
        if below is not None and start <= below:
            yield f"tiers.{at}.from_minor: does not ascend"
        below = start


def _turnover(terms: object) -> Iterator[str]:
    match terms:
        case {"window": "rolling_12_months", "status_validity": "end_of_next_year"}:
            yield "turnover.status_validity: is not none, which rolling_12_months requires"
        case {"window": "calendar_year", "status_validity": "none"}:
            yield "turnover.status_validity: is not end_of_next_year, which calendar_year requires"
        case _:
            pass


def _benefit(path: str, benefit: Object, tiers: set[str], kinds: dict[Any, Any]) -> Iterator[str]:
    match benefit.get("requires"):
        case {"tier": str(tier)} if tier not in tiers:
            yield f"{path}.requires.tier: {tier} is no tier"
        case _:
            pass
    match benefit.get("requires"):
        case {"fields": [*names]}:
            for at, name in enumerate(names):
                if isinstance(name, str) and name not in kinds:
                    yield f"{path}.requires.fields.{at}: {name} is no field of the profile"
        case _:
            pass
    if benefit.get("every") == "birthday" and kinds.get("birthday") != "date":
        yield f"{path}.every: needs a field birthday of kind date"
    if (
        benefit.get("kind") == "coupon"
        and sum(benefit.get(n) is not None for n in ("value_minor", "percent_of_turnover")) != 1
    ):
        yield f"{path}.value_minor: either this or percent_of_turnover is needed"
