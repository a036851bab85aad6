"""What takes more than one batch, some with each turn of the loop, so that the stream goes on beside it.

A tick settles who is due; its topic is paused as long, and its offset moves at the end. A rebuild or a comparison goes
through all customers; how far it has come lies in the partition's document, so that the next owner goes on with it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import TopicPartition

from shared import log as logs
from shared.contracts.clock import Tick
from shared.contracts.topics import CLOCK
from shared.mongo import Document, Mongo
from shared.runtime import metrics
from shared.runtime.batch import Batch, Part, Touched, answer_document
from shared.runtime.claims import Claims
from shared.runtime.deadletters import DeadLetters
from shared.runtime.heads import FLUSH_AFTER, FLUSH_AT, PAGES, page_id, page_of, revisions
from shared.runtime.health import Health
from shared.runtime.inbox import REBUILD, CommandRecord, Noticed, Origin
from shared.runtime.loader import Loader
from shared.runtime.owned import HEADS, Owned, Settling
from shared.runtime.programmes import Programmes
from shared.runtime.rebuild import Rebuilder
from shared.runtime.rules import Reply

log = logs.get("chores")
AT_ONCE: Final = 400  # customers settled or folded anew in one batch, per partition
_EXAMPLES: Final = 20  # customers named in the answer to a comparison
_LAST: Final = "9999"  # after every page


class Chores:
    """The long work of all partitions of a process. `customers`: whose heads this turn needs for it, to partition."""

    def __init__(
        self,
        mongo: Mongo,
        claims: Claims,
        loader: Loader,
        programmes: Programmes,
        rebuilder: Rebuilder,
        dead_letters: DeadLetters,
        health: Health,
    ) -> None:
        self.customers: dict[str, int] = {}
        self._mongo, self._claims, self._loader, self._programmes = mongo, claims, loader, programmes
        self._rebuilder, self._dead_letters, self._health = rebuilder, dead_letters, health
        self._chosen: list[tuple[Owned, list[str]]] = []

    def waiting(self, owned: Iterable[Owned]) -> bool:
        """Whether there is work without new records."""
        return any(each.settling is not None or each.chores for each in owned)

    def notice(self, owned: Owned, item: Noticed, known: set[str]) -> int:
        """Begin what a tick or a command to the partition asks for; the next offset of its topic."""
        after = item.origin.offset + 1
        if isinstance(item.message, Tick):
            return self._tick(owned, item.message, item.origin, after)
        command = item.command
        assert command is not None
        pending = {chore["command"]["command_id"] for chore in owned.chores}
        if command.command_id not in known | pending:
            kept = command.model_dump(include={"type", "command_id", "sender", "fingerprint"})
            owned.chores.append({"kind": command.type, "command": kept, "compare": item.message.get("compare", False)})
        return after

    def _tick(self, owned: Owned, tick: Tick, origin: Origin, after: int) -> int:
        programme = self._programmes.current
        assert programme is not None
        version = programme.in_force(tick.now)
        # The same tick again may be one that a killed owner did not finish: its offset has not moved then.
        if version is None or (owned.tick is not None and tick.now < owned.tick):
            return after if owned.settling is None else owned.settling.offset
        owned.tick = tick.now
        everybody = version.number != owned.swept
        owned.settling = Settling(tick, origin, origin.offset, everybody, version.number, [], ["?"])
        self._claims.pause(TopicPartition(CLOCK, owned.number))
        return origin.offset

    async def choose(self, batch: Batch, owned: Mapping[int, Owned], committed: Callable[[], Awaitable[None]]) -> None:
        """Before the batch is folded: whom to settle, which pages to write, and what to fold anew."""
        self.customers.clear()
        self._chosen.clear()
        for each in owned.values():
            due = len(each.moved) >= FLUSH_AT or each.batch - each.flushed >= FLUSH_AFTER
            if due and not each.flushing:
                batch.part(each).flush = await self._pages(each)
            if each.settling is not None:
                chosen = await self._choose(each, each.settling)
                self._chosen.append((each, chosen))
                self.customers |= dict.fromkeys(chosen, each.number)
        if any(each.chores for each in owned.values()):
            await committed()  # what is read must be what is known
            for each in owned.values():
                if each.chores:
                    await self._chore(batch.part(each), each, each.chores[0])
                    self._health.turned()

    async def work(self, batch: Batch, owned: Mapping[int, Owned]) -> None:
        """After the records: settle those who were chosen."""
        for each, customers in self._chosen:
            settling = each.settling
            if settling is None or each.number not in owned:
                continue
            part = batch.part(each)
            try:
                for customer in customers:
                    batch.settle(part, customer, settling.tick, settling.origin)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other partitions go on
                self._stuck(each, error)
                continue
            batch.size += len(customers)
            if not settling.todo and not settling.pages:
                each.next[CLOCK], each.swept, each.settling = settling.offset + 1, settling.swept, None
                self._claims.resume(TopicPartition(CLOCK, each.number), each.next[CLOCK])

    def _stuck(self, owned: Owned, error: Exception) -> None:
        """A tick that the rules choke on is a bug: the clock of this partition waits, the rest goes on."""
        owned.settling = None
        self._health.block(CLOCK, owned.number, f"rules raised {type(error).__name__}")
        log.error("a tick cannot be settled", partition=owned.number, exc_info=error)

    async def _pages(self, owned: Owned, **more: Any) -> list[Document]:
        query = {"_id": {"$gte": page_id(owned.number, 0), "$lte": f"{owned.number:02d}/{_LAST}"}, **more}
        return await self._mongo.find(HEADS, query)

    async def _choose(self, owned: Owned, settling: Settling) -> list[str]:
        at = settling.tick.now.timestamp()
        if settling.pages == ["?"]:
            recent = {**owned.flushing, **owned.moved}
            settling.todo = [c for c, (_, due) in recent.items() if settling.everybody or _is_due(due, at)]
            query: Document = {"p": owned.number}
            if not settling.everybody:
                query["due"] = {"$lte": at}
            settling.pages = [page["_id"] for page in await self._mongo.find(HEADS, query, fields={"_id": 1})]
        while len(settling.todo) < AT_ONCE and settling.pages:
            taken, settling.pages = settling.pages[:32], settling.pages[32:]
            for page in await self._mongo.find(HEADS, {"_id": {"$in": taken}}):
                for customer, head in revisions(page).items():
                    _, due = owned.moved.get(customer) or owned.flushing.get(customer) or head
                    if settling.everybody or _is_due(due, at):
                        settling.todo.append(customer)
        chosen, settling.todo = settling.todo[:AT_ONCE], settling.todo[AT_ONCE:]
        return chosen

    async def _chore(self, part: Part, owned: Owned, chore: Document) -> None:
        """One step of the first chore of a partition; the last one answers its command."""
        if chore["kind"] == REBUILD:
            done = await self._fold_anew(part, owned, chore)
        else:
            done = await self._dead_letters.retry(part, owned, chore)
        if done is None:
            owned.chores = [chore, *owned.chores[1:]]
            return
        owned.chores = owned.chores[1:]
        command = CommandRecord.model_validate(chore["command"])
        part.answers.append(answer_document(command, Reply(200, done), datetime.now(UTC)))

    async def _fold_anew(self, part: Part, owned: Owned, chore: Document) -> Document | None:
        page = chore.get("page", 0)
        stored = {each["_id"]: each for each in await self._pages(owned)} if page < PAGES else {}
        recent: dict[int, list[str]] = {}
        for customer in owned.moved:
            recent.setdefault(page_of(customer), []).append(customer)
        customers: list[str] = []
        while page < PAGES and len(customers) < AT_ONCE:
            document = stored.get(page_id(owned.number, page))
            known = dict.fromkeys(revisions(document) if document else ())
            customers += {**known, **dict.fromkeys(recent.get(page, ()))}
            page += 1
        drifted = await self._rebuilder.drifted(owned.number, customers)
        if drifted and not chore["compare"]:
            await self._loader.load({owned.number: owned}, dict.fromkeys(drifted, owned.number), ())
            for customer, rebuilt in drifted.items():
                head = self._loader.cache.heads[customer]
                part.touched[customer] = Touched(head, head.state)
                head.state, head.version, head.prints = rebuilt.state, rebuilt.version, rebuilt.prints
                part.repairs += rebuilt.archive
        chore["page"] = page
        chore["customers"] = chore.get("customers", 0) + len(customers)
        chore["drifted"] = chore.get("drifted", 0) + len(drifted)
        examples = [{"customer_id": c, "differs": rebuilt.differs} for c, rebuilt in drifted.items()]
        chore["examples"] = [*chore.get("examples", []), *examples][:_EXAMPLES]
        if page < PAGES:
            return None
        metrics.DRIFT.labels(str(owned.number)).set(chore["drifted"])
        return {name: chore[name] for name in ("compare", "customers", "drifted", "examples")}


def _is_due(due: int | None, at: float) -> bool:
    return due is not None and due <= at
