"""Which partition a customer has: murmur2 of the id, as Java's client computes it."""

from struct import unpack_from

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def partition_of(customer_id: str, count: int) -> int:
    """The partition, of `count`, of a customer on every topic.

    Source: `Utils.murmur2` and `BuiltInPartitioner` of Apache Kafka's Java client; librdkafka's default is another.
    """
    return (_murmur2(customer_id.encode()) & 0x7FFFFFFF) % count


def _murmur2(data: bytes) -> int:
    length = len(data)
    h = 0x9747B28C ^ length
    for k in unpack_from(f"<{length >> 2}I", data):
        k = k * _M & _MASK  # noqa: PLW2901
        h = h * _M & _MASK ^ ((k ^ k >> 24) * _M & _MASK)
    match length & 3:
        case 3:
            h = (h ^ data[-1] << 16 ^ data[-2] << 8 ^ data[-3]) * _M & _MASK
        case 2:
            h = (h ^ data[-1] << 8 ^ data[-2]) * _M & _MASK
        case 1:
            h = (h ^ data[-1]) * _M & _MASK
        case _:
            pass
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
