"""A batch: what the records of some partitions lead to, folded in memory, and the documents that say so."""

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from shared.contracts.records import MAX_BYTES, Fact
from shared.contracts.topics import commands_topic, dead_letters_topic
from shared.mongo import Document, Encoded, encoded
from shared.rulebook.entry import Entry, PartRefused
from shared.rulebook.memory import unpacked
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused
from shared.runtime import log
from shared.runtime.archive import Prints, chunk_id
from shared.runtime.heads import Head, Moved, merged, seconds
from shared.runtime.inbox import STRAY, CommandRecord, Origin, Read
from shared.runtime.keyring import Keyring, key_id
from shared.runtime.loader import Loader
from shared.runtime.log import Codec, Event, Written
from shared.runtime.owned import BATCHES, KEYS, OUTBOX, Owned, batch_id, outbox_id, view_id
from shared.runtime.rules import Heard, Opened, Reply, Service, View
from shared.sealing import Sealer

_MARGIN: Final = 4_096  # bytes of a record beside its value


class Blocked(Exception):
    """An event of a sister service that cannot be taken now: its partition waits, nothing is lost."""


class Letter(Struct, frozen=True, gc=False):
    """A record to publish that is no event: a dead letter, or a stray on its way."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Touched(Struct, gc=False):
    """A customer in a batch: their state `before`, and the entries and events since.

    What rules decide is not kept as it is: objects by the thousand, which a core's cache does not hold.
    """

    head: Head
    before: Any
    entries: list[Written] = []
    events: list[Event] = []


class Part(Struct):
    """The share of a partition in a batch. `oldest`: the broker's time of its first record."""

    owned: Owned
    before: int
    touched: dict[str, Touched] = {}
    letters: list[Letter] = []
    answers: list[Document] = []
    lines: list[View] = []
    oldest: datetime | None = None
    flush: list[Document] | None = None
    repairs: list[Document] = []
    keys: dict[str, tuple[Sealer, Document]] = {}  # of customers of whom nothing is stored yet


class Documents(Struct):
    """What one transaction writes.

    `views`, by collection; `gone`: single documents; `keyed`, `forgotten`: customers whose key comes and goes.
    """

    swaps: list[tuple[Document, Document]] = []
    logs: list[Encoded] = []
    batches: list[Document] = []
    archive: list[Document] = []
    heads: list[Document] = []
    outbox: list[Document] = []
    answers: list[Document] = []
    keys: list[Document] = []
    keyed: list[str] = []
    views: dict[str, list[Document]] = {}
    gone: dict[str, list[str]] = {}
    forgotten: list[str] = []
    spent: list[tuple[str, str, str]] = []


class Batch:
    """Folds messages in the order in which they are given; `documents` ends it."""

    def __init__(
        self, service: Service, programme: Programme, loader: Loader, codec: Codec, keyring: Keyring | None = None
    ) -> None:
        self.parts: dict[int, Part] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.size = 0
        self._service, self._programme, self._loader, self._codec = service, programme, loader, codec
        self._rules, self._keyring = service.rules, keyring

    def part(self, owned: Owned) -> Part:
        """The share of a partition, which begins with the first call."""
        part = self.parts.get(owned.number)
        if part is None:
            part = self.parts[owned.number] = Part(owned, owned.batch)
        return part

    def take(self, part: Part, read: Read) -> None:
        """Fold a message; raises `Blocked`. What rules refuse or choke on becomes a dead letter."""
        self.size += 1
        origin, message = read.origin, read.message
        heads = self._loader.cache.heads
        heads.move_to_end(read.customer_id)  # the cache lets go of the longest unused
        head = heads[read.customer_id]
        outcome = "counted"
        try:
            if isinstance(message, Heard) and not _follows(head, message):
                self.counts[origin.topic, "duplicate"] += 1
                return
            if not self._fold(part, head, read):
                outcome = "duplicate"
        except Refused as refusal:
            if read.command is None:
                outcome = "dead"
                self.bury(part, origin, refusal.reason)
            else:
                outcome = "refused"
                self._answer(part, read, _refused(refusal))
        except Blocked:
            raise
        except Exception as error:
            if isinstance(message, Heard):
                raise Blocked(f"{message.envelope.type}: rules raised {type(error).__name__}") from error
            outcome = "bug"
            self.bury(part, origin, f"bug: rules raised {type(error).__name__}")
            if read.command is not None:
                self._answer(part, read, Reply(500))
        self.counts[origin.topic, outcome] += 1

    def settle(self, part: Part, customer_id: str, tick: Any, origin: Origin) -> None:
        """Fold a tick for one customer; what the rules raise is a bug, and raised."""
        head = self._loader.cache.heads[customer_id]
        self._fold(part, head, Read(customer_id, tick, origin))
        due = self._rules.due_at(head.state, self._programme)
        if due is not None and due <= tick.now:
            raise AssertionError(f"still due at {due} after the tick of {tick.now}")

    def _fold(self, part: Part, head: Head, read: Read) -> bool:
        rules, message, origin, customer = self._rules, read.message, read.origin, read.customer_id
        state, version = head.state, head.version
        heard = message if isinstance(message, Heard) else None
        if heard is not None and heard.fact is None:
            now, decided = origin.recorded_at, list[Entry]()
        else:
            now = rules.now(state, message, part.owned.tick)
            if self._keyring is not None:
                message = Opened(message, self._sealer(self._keyring, part, head, origin))
            decided = rules.decide(state, message, self._programme, now)
            if not decided and not heard and read.command is None:
                return False
        entries: list[Written] = []
        events: list[Event] = []
        after = decided[-1].after if decided else None
        for entry in decided:
            if after is None:
                state = rules.evolve(state, entry)
            fact = entry.fact
            public = isinstance(fact, Fact)
            version += public
            value = log.encode(entry, customer, version if public else 0, origin.recorded)
            if len(value) > log.MAX_EVENT:
                raise Refused(f"record: leads to an event of more than {log.MAX_EVENT} bytes")
            entries.append(log.written(value, public, entry.memo, origin.trace))
            if isinstance(fact, Fact):
                events.append(Event(fact.type, customer, version, entry.occurred_at, value, origin.trace))
        if after is not None:
            state = after
        lines: list[View] = []
        if self._service.lines is not None:
            lines = [line for entry in decided for line in self._service.lines(customer, entry)]
        reply = None
        if read.command is not None and self._service.answer is not None:
            reply = self._service.answer(state, read.message, decided, now)
        # From here on nothing raises: a message counts whole or not at all.
        before = head.state
        head.state, head.version = state, version
        if heard:
            head.seen = {**head.seen, heard.service: heard.envelope.version}
        if decided or heard:
            touched = part.touched.get(customer)
            if touched is None:
                touched = part.touched[customer] = Touched(head, before)
            touched.entries += entries
            touched.events += events
            part.lines += lines
            for entry in decided:
                if isinstance(entry.fact, PartRefused):
                    self.bury(part, origin, entry.fact.refused)
        if reply is not None:
            self._answer(part, read, reply)
        return bool(decided)

    def _sealer(self, keyring: Keyring, part: Part, head: Head, origin: Origin) -> Sealer | None:
        """The customer's; a new one with the first outside record of somebody who has none and was not forgotten."""
        customer, forgotten = head.customer_id, self._service.forgotten
        if customer in part.keys:
            return part.keys[customer][0]
        sealer = keyring.sealer(customer)
        if sealer is not None or origin.topic not in self._service.inputs or (forgotten and forgotten(head.state)):
            return sealer
        made = part.keys[customer] = keyring.make(customer, head.partition)
        return made[0]

    def _answer(self, part: Part, read: Read, reply: Reply) -> None:
        assert read.command is not None
        document = answer_document(read.command, reply, read.origin.recorded_at)
        if self._keyring is not None:
            document["customer"] = read.customer_id
        part.answers.append(document)

    def bury(self, part: Part, origin: Origin, reason: str) -> None:
        """Make a dead letter of a record, with its value as far as that may be kept."""
        value = origin.value
        headers = [
            ("reason", reason.encode()),
            ("topic", origin.topic.encode()),
            ("partition", str(origin.partition).encode()),
            ("offset", str(origin.offset).encode()),
            ("recorded_at", origin.recorded.encode()),
        ]
        if value is not None:
            headers += [("length", str(len(value)).encode()), ("sha256", hashlib.sha256(value).hexdigest().encode())]
        # The CRM's records hold personal data, and so do commands: a retry reads the source again. The key of one that
        # is bad may be anything.
        personal = self._personal(origin.topic)
        kept = None if value is None or personal else value[: MAX_BYTES - _MARGIN]
        topic = dead_letters_topic(self._service.name)
        # A record of Kafka has a key or a value.
        key = b"" if personal or (kept is None and origin.key is None) else origin.key
        part.letters.append(Letter(topic, part.owned.number, key, kept, headers))

    def _personal(self, topic: str) -> bool:
        return topic == commands_topic(self._service.name) or self._service.forgotten is not None

    def forward(self, part: Part, origin: Origin, customer_id: str, partition: int) -> None:
        """Send a record on to the partition of its customer; one with personal data as its place alone."""
        value = None if self._personal(origin.topic) else (origin.value or b"").decode()
        stray = {
            "type": STRAY,
            "topic": origin.topic,
            "partition": origin.partition,
            "offset": origin.offset,
            "recorded_at": origin.recorded,
            "value": value,
            "traceparent": origin.trace,
        }
        topic = commands_topic(self._service.name)
        part.letters.append(Letter(topic, partition, customer_id.encode(), log.json_bytes(stray), []))

    def documents(self) -> Documents:
        """All that the transaction writes. Ends the batch: heads have their next revision, partitions their number."""
        found = Documents()
        for part in self.parts.values():
            self._end(part, found)
        self._loader.forget_recalled()
        return found

    def _end(self, part: Part, found: Documents) -> None:
        owned, number = part.owned, part.owned.number
        owned.batch += 1
        names: list[str] = []
        for customer, touched in part.touched.items():
            head = touched.head
            head.revision += 1
            memory = head.state.memory
            if memory.spilled:
                found.archive += self._spill(head)
            if memory.spilled or memory.recalled:
                head.state = replace(head.state, memory=memory.settled())
            document: Document = {"_id": log.log_id(number, customer, head.revision), "version": head.version}
            document |= self._codec.dump(head.state)
            if head.seen:
                document["seen"] = head.seen
            document["entries"] = [log.stored(entry) for entry in touched.entries]
            found.logs.append(encoded(document))
            due = seconds(self._rules.due_at(head.state, self._programme))
            self._project(part, touched, found)
            owned.moved[customer] = (head.revision, due)
            names.append(f"{customer}/{head.revision}/{'' if due is None else due}")
            self._loader.cache.weigh(head)
        for line in part.lines:
            _show(number, line, found)
        for place, letter in enumerate(part.letters):
            document = {
                "_id": outbox_id(number, owned.batch, place),
                "topic": letter.topic,
                "partition": letter.partition,
            }
            document |= {"key": letter.key, "value": letter.value, "headers": letter.headers}
            found.outbox.append(document)
        if names or part.letters:
            letters = len(part.letters)
            found.batches.append({"_id": batch_id(number, owned.batch), "customers": names, "letters": letters})
        found.archive += part.repairs
        found.answers += part.answers
        if part.flush is not None:
            found.heads += merged(number, owned.moved, part.flush)
            owned.flushing, owned.moved = owned.moved, {}
            owned.flushed = owned.batch
            spent = min(owned.published, owned.flushed)
            found.spent.append((BATCHES, batch_id(number, 0), batch_id(number, spent)))
        if owned.letters and owned.published == part.before:
            found.spent.append((OUTBOX, batch_id(number, 0), batch_id(number, owned.published) + "~"))
            owned.letters = False
        owned.letters = owned.letters or bool(part.letters)
        found.swaps.append((owned.expected(part.before), owned.document()))

    def _project(self, part: Part, touched: Touched, found: Documents) -> None:
        """What the service shows beside the log: views and sums; and the key, as it comes and goes."""
        service, head, before = self._service, touched.head, touched.before
        customer, number, state = head.customer_id, part.owned.number, head.state
        if service.totals is not None:
            sums = part.owned.totals
            for name, amount in service.totals(before, state).items():
                sums[name] = sums.get(name, 0) + amount
        if service.views is not None:
            for view in service.views(customer, before, state):
                _show(number, view, found)
        if self._keyring is not None and service.forgotten is not None:
            if customer in part.keys:
                self._keyring.keep(customer)
                found.keys.append(part.keys[customer][1])
                found.keyed.append(customer)
            if service.forgotten(state) and not service.forgotten(before):
                self._keyring.forget(customer)
                found.gone.setdefault(KEYS, []).append(key_id(number, customer))
                found.forgotten.append(customer)

    def _spill(self, head: Head) -> list[Document]:
        prints = head.prints = head.prints or Prints([])
        pages: dict[str, Document] = {}
        chunks: list[Document] = []
        for number, items in head.state.memory.spilled:
            identity = chunk_id(head.partition, head.customer_id, number)
            chunks.append({"_id": identity, "items": items})
            self._loader.chunks[identity] = items
            prints.add(unpacked(items))
            page = prints.page(head.partition, head.customer_id, number)
            pages[page["_id"]] = page
        return [*chunks, *pages.values()]


def _show(number: int, view: View, found: Documents) -> None:
    identity = view_id(number, view.id)
    if view.document is None:
        found.gone.setdefault(view.collection, []).append(identity)
    else:
        found.views.setdefault(view.collection, []).append({"_id": identity, **view.document})


def _refused(refusal: Refused) -> Reply:
    errors = [{"field": field, "reason": reason} for field, reason in refusal.errors]
    return Reply(422, {"type": "validation", "detail": refusal.reason} | ({"errors": errors} if errors else {}))


def answer_document(command: CommandRecord, reply: Reply, at: datetime) -> Document:
    """The answer to a command, as it is stored; `at` is when its 31 days begin."""
    return {
        "_id": command.command_id,
        "sender": command.sender,
        "fingerprint": command.fingerprint,
        "status": reply.status,
        "body": None if reply.body is None else log.json_bytes(reply.body).decode(),
        "at": at,
    }


def _follows(head: Head, heard: Heard) -> bool:
    """Whether an event is the next of its service; False for one that was seen, `Blocked` where one is missing."""
    version, seen = heard.envelope.version, head.seen.get(heard.service, 0)
    if version > seen + 1:
        raise Blocked(f"{heard.service}.events: version {seen + 1} is missing before {version}")
    return version == seen + 1


def moved_from(documents: list[Document]) -> Moved:
    """The revisions that some batches moved, from their documents, oldest first."""
    moved: Moved = {}
    for document in documents:
        for name in document["customers"]:
            customer, revision, due = name.split("/")
            moved[customer] = (int(revision), int(due) if due else None)
    return moved
