"""JSON lines become records with a topic and a key; what cannot be sent is named."""

import asyncio
import gzip
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli.source import Input, Outgoing, Tally, in_background, json_lines, lines, raw_lines
from deploy.cli.trouble import Trouble

SALE = b'{"type": "PurchaseCompleted.v1", "customer_id": "c-1", "occurred_at": "2012-01-01T00:00:00Z"}'
CUSTOMER = b'{"type": "CustomerUpserted.v1", "customer_id": "c-2"}'


def read(*blocks: bytes) -> tuple[list[Outgoing], list[str]]:
    tally = Tally()
    return [record for block in json_lines(blocks, tally) for record in block], tally.faults


def test_a_record_goes_to_the_topic_of_its_type_with_its_customer_as_key() -> None:
    records, bad = read(SALE + b"\n\n" + CUSTOMER + b"\n")

    assert records == [
        Outgoing("pos.purchases", b"c-1", SALE, "2012-01-01T00:00:00Z"),
        Outgoing("crm.customers", b"c-2", CUSTOMER),
    ]
    assert bad == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "JSON is malformed"),
        (b"null", "Expected `object`"),
        (b"[]", "Expected `object`"),
        (b'{"customer_id": "c-1"}', "missing required field `type`"),
        (b'{"type": "PurchaseCompleted.v1"}', "missing required field `customer_id`"),
        (b'{"type": "PurchaseCompleted.v1", "customer_id": 7}', r"Expected `str`, got `int` - at `\$.customer_id`"),
        (b'{"type": "PurchaseCompleted.v1", "customer_id": ""}', "customer_id: empty"),
        (b'{"type": "Wish.v1", "customer_id": "c-1"}', "type: not a record that tills or the CRM send"),
        (b'{"type": "\xff"}', "not UTF-8|malformed|Invalid UTF-8"),
    ],
)
def test_a_line_that_cannot_be_sent_is_named_and_its_neighbours_are_sent(line: bytes, reason: str) -> None:
    records, bad = read(b"\n".join([SALE, line, CUSTOMER]))

    assert [record.value for record in records] == [SALE, CUSTOMER]
    assert len(bad) == 1
    with pytest.raises(ValueError, match=f"^line 2: .*({reason})"):
        raise ValueError(bad[0])


def test_raw_lines_are_sent_as_they_are() -> None:
    blocks = [b"garbage\nnull\n" + CUSTOMER + b"\n[]\n\n" + SALE]

    records = [record for block in raw_lines(blocks) for record in block]

    assert [(record.topic, record.key, record.value) for record in records] == [
        ("pos.purchases", b"", b"garbage"),
        ("pos.purchases", b"", b"null"),
        ("crm.customers", b"c-2", CUSTOMER),
        ("pos.purchases", b"", b"[]"),
        ("pos.purchases", b"", b""),
        ("pos.purchases", b"c-1", SALE),
    ]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_lines_are_the_same_however_they_arrive(content: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(content)]
    blocks = [content[a:b] for a, b in pairwise(edges)]

    found = [line for block in lines(blocks) for line in block]

    assert b"\n".join(found) == content.removesuffix(b"\n")


def test_a_file_without_ends_of_lines_is_refused_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(300_000)

    with pytest.raises(Trouble, match="longer than 1 MiB"):
        list(lines(endless()))


def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl.gz"
    file.write_bytes(gzip.compress(SALE * 10_000))

    with Input(str(file)) as source:
        assert b"".join(source.blocks()) == SALE * 10_000
        assert source.position() == source.size


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(Trouble, match=r"nowhere\.jsonl: No such file"):
        Input("nowhere.jsonl")


async def test_what_a_slow_pipe_has_brought_is_there_before_the_next_arrives() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        blocks = in_background(iter(lambda: pipe.read(100), b""))
        os.write(writer, b"first")
        assert await anext(blocks) == b"first"
        waiting = asyncio.ensure_future(anext(blocks))
        await asyncio.sleep(0)  # the loop is not held up by the pipe
        os.write(writer, b"second")
        assert await waiting == b"second"
        os.close(writer)
        assert [block async for block in blocks] == []


async def test_what_goes_wrong_while_reading_reaches_whoever_reads() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise Trouble("half a file")

    blocks = in_background(broken())

    assert await anext(blocks) == 1
    with pytest.raises(Trouble, match="half a file"):
        await anext(blocks)


def test_of_many_bad_lines_the_first_are_told_and_all_are_counted() -> None:
    tally = Tally()

    assert list(json_lines([b"x\n" * 1000], tally)) == [[]]

    assert tally.bad == 1000
    assert [fault.partition(":")[0] for fault in tally.faults] == [f"line {n}" for n in range(1, 21)]


def test_no_value_of_a_bad_line_is_told() -> None:
    _, bad = read(json.dumps({"type": "Secret.v1", "customer_id": "alice@example.org"}).encode())

    assert "alice" not in bad[0]
    assert "Secret" not in bad[0]
