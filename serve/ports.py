"""Free ports for what is started later; never from the range that outgoing connections take."""

import random
import socket
from collections.abc import Container
from typing import Final

# Linux gives outgoing connections 32768 and up, Ray its replicas 30000 to 31000: a port from there
# can be taken by the time it is listened on, and one start in a hundred failed.
_RANGE: Final = range(20_000, 30_000)


def free_ports(count: int, besides: Container[int | None] = ()) -> list[int]:
    """So many different ports on loopback that nothing listens on now, and none of ``besides``."""
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if port in besides:
            continue
        try:
            with socket.create_server(("127.0.0.1", port)):
                found.append(port)
        except OSError:
            continue
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} free ports from {_RANGE.start} to {_RANGE.stop - 1}")
