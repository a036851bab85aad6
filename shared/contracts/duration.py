"""Durations as ISO 8601 writes them: P14D, P12M, PT15M, P1Y2M10DT2H30M, P2W."""

import re
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_FORM: Final = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?",
    re.ASCII,
)
# Together at most a century of each, so that a time of the contract plus a duration stays within the calendar.
_MOST: Final = (1200, 36525, 100 * 366 * 86400)


@dataclass(frozen=True, slots=True)
class Duration:
    """Months and days count on the local calendar, seconds pass. Never below zero, each at most a century."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The duration that ISO 8601 text says; raises `ValueError`. Sign, fraction and exponent are not taken."""
        if "-" in text:
            raise ValueError("is below zero")
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("is no duration of ISO 8601, such as P14D, P12M or PT15M")
        years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        parts = (12 * years + months, 7 * weeks + days, 3600 * hours + 60 * minutes + seconds)
        if any(part > most for part, most in zip(parts, _MOST, strict=True)):
            raise ValueError("is longer than a century")
        return cls(*parts)

    def __str__(self) -> str:
        """The shortest ISO 8601 text of it: P1Y for P12M, P7D for P1W."""
        years, months = divmod(self.months, 12)
        minutes, seconds = divmod(self.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        date = _parts((years, "Y"), (months, "M"), (self.days, "D"))
        time = _parts((hours, "H"), (minutes, "M"), (seconds, "S"))
        return f"P{date}T{time}" if time else f"P{date or '0D'}"

    def __bool__(self) -> bool:
        """Whether any time passes."""
        return any((self.months, self.days, self.seconds))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            core_schema.no_info_after_validator_function(_said, core_schema.str_schema(strict=True)),
            core_schema.is_instance_schema(cls),
            serialization=core_schema.to_string_ser_schema(),
        )


def _parts(*parts: tuple[int, str]) -> str:
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def _said(text: str) -> Duration:
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise PydanticCustomError("contract", "{words}", {"words": str(error)}) from None
