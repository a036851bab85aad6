"""Ports for the local stack, chosen where the kernel does not lend them to outgoing connections."""

import random
import socket
from collections.abc import Sequence

# Below Linux's ip_local_port_range, so that nobody takes the port of a server while it is being restarted.
LOW, HIGH = 15_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(count: int, remembered: Sequence[int] = ()) -> list[int]:
    """That many free ports: the remembered ones where they still are free, else others."""
    if len(remembered) == count and all(is_free(port) for port in remembered):
        return list(remembered)
    candidates = random.sample(range(LOW, HIGH), 2_000)
    return [port for port in candidates if is_free(port)][:count]
