"""Records on their way to Kafka, read from JSON lines; and reading that never holds up the event loop."""

import asyncio
import gzip
import io
import lzma
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, Self, TypeVar, cast

import msgspec

from deploy.cli.trouble import Trouble
from shared.contracts import topics

T = TypeVar("T")

# Which topic carries a type of input (contract: "Records on Kafka").
TOPICS: Final = {
    "PurchaseCompleted.v1": topics.PURCHASES,
    "PurchaseReturned.v1": topics.PURCHASES,
    "CustomerUpserted.v1": topics.CUSTOMERS,
    "CustomerErasureRequested.v1": topics.CUSTOMERS,
}
CHUNK: Final = 256 * 1024
LONGEST: Final = 1024 * 1024 - 1024  # bytes of a line: more than that Kafka does not take
SHOWN: Final = 20  # bad lines that are told one by one
AHEAD: Final = 4  # blocks that are read before the first of them is sent


class Outgoing(NamedTuple):
    """A record and where it goes: the key is the customer id."""

    topic: str
    key: bytes
    value: bytes
    occurred_at: str = ""  # as the record says it


@dataclass
class Tally:
    """What became of the input: things that the contract says to leave out, counted by name; and lines that could not
    be sent, of which the first are kept in words."""

    skipped: dict[str, int] = field(default_factory=dict[str, int])
    bad: int = 0
    faults: list[str] = field(default_factory=list[str])

    def skip(self, what: str) -> None:
        """Count one that the contract says to leave out."""
        self.skipped[what] = self.skipped.get(what, 0) + 1

    def refuse(self, number: int, reason: object) -> None:
        """Note a line that cannot be sent."""
        self.bad += 1
        if self.bad <= SHOWN:
            self.faults.append(f"line {number}: {reason}")


class Shape(msgspec.Struct):
    """As much of a record as is needed to send it."""

    type: str
    customer_id: str
    occurred_at: Any = ""


class Input:
    """A file, `-` for standard input; compressed when its name ends in .gz or .xz."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._raw = io.FileIO(0, closefd=False) if name == "-" else io.FileIO(name)
            self.size = None if name == "-" else Path(name).stat().st_size  # bytes as they lie on the disk
        except OSError as error:
            raise Trouble(f"{name}: {error.strerror}") from None
        opened: Any = self._raw
        match Path(name).suffix.lower():
            case ".gz":
                opened = gzip.GzipFile(fileobj=self._raw)
            case ".xz":
                opened = lzma.LZMAFile(self._raw)  # noqa: SIM115 - closed with the input
            case _:
                pass
        self.stream = cast("BinaryIO", opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raw.close()

    def position(self) -> int:
        """How many bytes of `size` have been read."""
        return self._raw.tell() if self.size is not None else 0

    def blocks(self) -> Iterator[bytes]:
        """The content, as it comes."""
        try:
            while block := self.stream.read(CHUNK):
                yield block
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise Trouble(f"{self.name}: {error}") from None


def lines(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of each block, so that what a slow pipe has brought is sent before the next arrives."""
    rest = b""
    for block in blocks:
        *complete, rest = (rest + block).split(b"\n")
        if len(rest) > LONGEST:
            raise Trouble("a line is longer than 1 MiB: are these JSON lines, one record a line?")
        yield complete
    if rest:
        yield [rest]


def json_lines(blocks: Iterable[bytes], tally: Tally) -> Iterator[list[Outgoing]]:
    """Records of JSON lines. A line that has no type or customer is noted, with its number, and left out."""
    decode = msgspec.json.Decoder(Shape).decode
    number = 0
    for block in lines(blocks):
        records: list[Outgoing] = []
        for line in block:
            number += 1
            if not line or line.isspace():
                continue
            try:
                records.append(_outgoing(decode(line), line))
            except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
                tally.refuse(number, "not UTF-8" if isinstance(error, UnicodeError) else error)
        yield records


def _outgoing(shape: Shape, line: bytes) -> Outgoing:
    topic = TOPICS.get(shape.type)
    if topic is None:
        raise ValueError("type: not a record that tills or the CRM send")
    if not shape.customer_id:
        raise ValueError("customer_id: empty")
    if len(line) > LONGEST:
        raise ValueError("longer than 1 MiB")
    occurred_at = shape.occurred_at if isinstance(shape.occurred_at, str) else ""
    return Outgoing(topic, shape.customer_id.encode(), line, occurred_at)


def raw_lines(blocks: Iterable[bytes]) -> Iterator[list[Outgoing]]:
    """Every line as it is, to the tills' topic unless its type says otherwise; without a customer, without a key."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for block in lines(blocks):
        records: list[Outgoing] = []
        for line in block:
            try:
                found = decode(line)
            except (msgspec.MsgspecError, UnicodeError):
                found = {}
            kind, customer = found.get("type"), found.get("customer_id")
            topic = TOPICS.get(kind, topics.PURCHASES) if isinstance(kind, str) else topics.PURCHASES
            records.append(Outgoing(topic, customer.encode() if isinstance(customer, str) else b"", line))
        yield records


async def in_background(blocks: Iterator[T]) -> AsyncIterator[T]:
    """The items of a blocking iterator, read a little ahead by a thread of their own.

    The thread is a daemon: a pipe that brings nothing holds up neither Ctrl-C nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[T | BaseException | None] = asyncio.Queue()
    slots = threading.Semaphore(AHEAD)

    def put(item: T | BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is gone, and with it whoever would read on
            loop.call_soon_threadsafe(ready.put_nowait, item)

    def work() -> None:
        try:
            for block in blocks:
                slots.acquire()
                put(block)
            put(None)
        except Exception as error:  # noqa: BLE001 - handed to whoever reads
            put(error)

    threading.Thread(target=work, name="input", daemon=True).start()
    while (item := await ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        slots.release()
        yield item
