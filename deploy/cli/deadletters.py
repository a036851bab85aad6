"""`perkstream dead-letters`: what a service could not take, and another try."""

import json
from enum import StrEnum
from typing import Any, Final

from aiokafka import ConsumerRecord
from rich.table import Table
from rich.text import Text

from deploy.cli import kafka
from deploy.cli.asking import ask, summed
from deploy.cli.trouble import Trouble, results
from shared.contracts.topics import SERVICES, dead_letters_topic

HEADERS: Final = ("reason", "topic", "partition", "offset")


class Action(StrEnum):
    """What to do with dead letters."""

    LIST = "list"
    RETRY = "retry"


def described(record: ConsumerRecord[Any, Any]) -> dict[str, str | int]:
    """Why a record was refused and where it came from; never what it says, which may be personal."""
    found = {name: value.decode(errors="replace") for name, value in record.headers if name in HEADERS}
    said: dict[str, str | int] = {name: found.get(name, "?") for name in HEADERS}
    return said | {name: int(text) for name in HEADERS[2:] if (text := found.get(name, "")).isdecimal()}


async def listing(options: dict[str, Any], service: str, as_json: bool) -> None:
    """Print the dead letters of a service that are kept."""
    if service not in SERVICES:
        raise Trouble(f"no service {service}; there is: {', '.join(SERVICES)}")
    found = [described(record) async for record in kafka.read(options, dead_letters_topic(service))]
    if as_json:
        for one in found:
            print(json.dumps(one, ensure_ascii=False))
        return
    table = Table(*HEADERS)
    for one in found:
        table.add_row(*(Text(str(one[name])) for name in HEADERS))
    if found:
        results.print(table)
    results.print(f"{len(found):,} dead letters", highlight=False)


async def retry(url: str, token: str) -> None:
    """Have the service take its dead letters once more, and print what came of it."""
    results.print(summed(await ask(url, token, "/dead-letters/retry")) or "retried", highlight=False)
