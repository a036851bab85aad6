"""Records reach the partition that Java's client would choose, in order, and a topic is read to its end."""

import pytest

from deploy.cli import kafka
from deploy.cli.trouble import Trouble
from deploy.local.stack import Stack
from tests.cli.conftest import NewTopicOf


@pytest.mark.parametrize(
    ("key", "murmur2"),  # of Kafka's own test, org.apache.kafka.common.utils.UtilsTest
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_has_the_partition_of_javas_client(key: bytes, murmur2: int) -> None:
    assert kafka.partition_of(key, 12) == (murmur2 & 0x7FFFFFFF) % 12


async def test_what_was_published_is_read_in_order(stack: Stack, new_topic: NewTopicOf) -> None:
    options, topic = stack.kafka_options(), await new_topic(4)
    sent = {f"c-{customer}": [f"{n}".encode() * 500 for n in range(200)] for customer in range(7)}

    async with kafka.publisher(options) as publisher:
        for n in range(200):
            for customer, values in sent.items():
                await publisher.send(topic, customer.encode(), values[n])
            if n == 100:
                await publisher.push()

    assert publisher.delivered == 7 * 200
    found: dict[str, list[bytes]] = {}
    async for record in kafka.read(options, topic):
        assert record.partition == kafka.partition_of(record.key, 4)
        found.setdefault((record.key or b"").decode(), []).append(record.value or b"")
    assert found == sent


async def test_a_record_above_the_limit_of_the_contract_is_published_too(stack: Stack, new_topic: NewTopicOf) -> None:
    options, topic = stack.kafka_options(), await new_topic(1)

    async with kafka.publisher(options) as publisher:
        await publisher.send(topic, b"c-1", b"small")
        await publisher.send(topic, b"c-1", bytes(512 * 1024))
        await publisher.send(topic, None, b"small")

    assert [len(record.value or b"") async for record in kafka.read(options, topic)] == [5, 512 * 1024, 5]


async def test_reading_the_newest_leaves_out_the_rest(stack: Stack, new_topic: NewTopicOf) -> None:
    options, topic = stack.kafka_options(), await new_topic(2)
    async with kafka.publisher(options) as publisher:
        for n in range(10):
            await publisher.send(topic, None, b"%d" % n, partition=0)

    assert [record.value async for record in kafka.read(options, topic, newest=2)] == [b"8", b"9"]


async def test_what_was_taken_is_delivered_also_when_the_input_turns_out_to_be_bad(
    stack: Stack, new_topic: NewTopicOf, capsys: pytest.CaptureFixture[str]
) -> None:
    options, topic = stack.kafka_options(), await new_topic(1)

    async def send() -> None:
        async with kafka.publisher(options) as publisher:
            await publisher.send(topic, b"c-1", b"good")
            raise Trouble("bad line")

    with pytest.raises(Trouble, match="bad line"):
        await send()

    assert [record.value async for record in kafka.read(options, topic)] == [b"good"]
    assert "stopped: 1 records were published" in capsys.readouterr().err


async def test_a_topic_that_is_not_there_is_named(stack: Stack) -> None:
    async with kafka.publisher(stack.kafka_options()) as publisher:
        with pytest.raises(Trouble, match="this Kafka has no topic nowhere"):
            await publisher.send("nowhere", b"c-1", b"{}")
    with pytest.raises(Trouble, match="this Kafka has no topic nowhere"):
        [record async for record in kafka.read(stack.kafka_options(), "nowhere")]
