"""The chart of the months as a drawing: turnover above the line, points earned below it."""

from typing import Final

from msgspec import Struct

from services.portal.model import Month

STEP: Final = 28  # from month to month, in units of the drawing
GAP: Final = 8
ABOVE: Final = 84
NAMES: Final = 20  # for the names of months, between the two
BELOW: Final = 40


class Bar(Struct, frozen=True):
    """A month. `spent` and `earned`: heights. `named`: whether there is room for its name."""

    month: Month
    x: int
    middle: int
    spent: int
    earned: int
    named: bool


class Chart(Struct, frozen=True):
    """A drawing. Turnover stands on the line at `above`, points hang from the one at `below`."""

    width: int
    height: int
    bar: int
    above: int
    below: int
    baseline: int
    bars: list[Bar]


def chart(months: list[Month]) -> Chart | None:
    """The months side by side, the highest as high as there is room; `None` where there is nothing to show."""
    spent = max((month.turnover_minor for month in months), default=0)
    earned = max((month.points for month in months), default=0)
    if spent <= 0 and earned <= 0:
        return None
    bars = [
        Bar(
            month,
            x=place * STEP + GAP // 2,
            middle=place * STEP + STEP // 2,
            spent=_height(month.turnover_minor, spent, ABOVE),
            earned=_height(month.points, earned, BELOW),
            named=(len(months) - 1 - place) % 2 == 0,
        )
        for place, month in enumerate(months)
    ]
    below = ABOVE + NAMES
    return Chart(len(months) * STEP, below + BELOW, STEP - GAP, ABOVE, below, below - 5, bars)


def _height(value: int, highest: int, room: int) -> int:
    """A month in which more came back than went out has no bar; one with anything at all has one that can be seen."""
    return max(2, value * room // highest) if value > 0 else 0
