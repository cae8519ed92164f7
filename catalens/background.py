"""`catalens serve` in a process of its own, for as long as a block of code needs it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from catalog.errors import InvalidRequest

_READY_SECONDS = 180.0
_STOP_SECONDS = 60.0


@contextmanager
def served(
    bundle: Path, catalog: Path | None, port: int, *flags: str, quiet: bool = False
) -> Iterator[str]:
    """Start a server, wait until it is ready, give its address, stop it.

    Args:
        bundle: to serve.
        catalog: to serve with it.
        port: to listen on.
        flags: more of `catalens serve`'s.
        quiet: drop what the server says on its standard output.

    Raises:
        InvalidRequest: it did not become ready; it has said why on its own output.
    """
    more = [] if catalog is None else ["--catalog", str(catalog)]
    command = [sys.executable, "-m", "catalens.cli", "serve", str(bundle), *more]
    with started([*command, "--port", str(port), *flags], port, quiet=quiet) as address:
        yield address


@contextmanager
def started(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
) -> Iterator[str]:
    """Run a command that serves on a port of this machine; as `served`.

    Args:
        command: what to run.
        port: that it listens on.
        environment: of the process; ours if not given.
        quiet: drop what it says on its standard output.

    Raises:
        InvalidRequest: it did not become ready; it has said why on its own output.
    """
    output = subprocess.DEVNULL if quiet else None
    server = subprocess.Popen(command, env=environment, stdout=output)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, lambda: server.poll() is None)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=_STOP_SECONDS)


def wait_until_ready(address: str, lives: Callable[[], bool] = lambda: True) -> None:
    """Until a real inference has passed.

    Args:
        address: of the server.
        lives: whether it is worth waiting on.

    Raises:
        InvalidRequest: none passed in three minutes, or the server does not live.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and lives():
        try:
            if httpx.get(f"{address}/readyz", timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.3)
    raise InvalidRequest(
        "the server did not become ready; its own message is above.", where=address
    )
