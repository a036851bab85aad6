"""What the clock publishes: the time, as a record like any other."""

from typing import Literal

from pydantic import TypeAdapter

from shared.contracts.records import Moment, Record


class Tick(Record):
    """It is `now`. One goes to each partition; late, twice or a year at once are all fine."""

    type: Literal["Tick.v1"] = "Tick.v1"
    now: Moment


TICK: TypeAdapter[Tick] = TypeAdapter(Tick)
