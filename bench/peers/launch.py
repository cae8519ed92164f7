"""Peers installed, started, waited for and stopped."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from bench.peers.environment import CACHE, PeerUnavailable, environment
from bench.peers.peer import Peer

HERE = Path(__file__).resolve().parent
_ROOT = HERE.parents[1]
_READY_SECONDS = 120.0
_STOP_SECONDS = 5.0


def prepare(peer: Peer) -> Path:
    """The Python of the peer's own virtual environment, made the first time it is asked for.

    Raises:
        PeerUnavailable: its requirements cannot be installed here.
    """
    return environment(HERE / peer.folder, peer.installer)


@contextmanager
def running(peer: Peer, bundle: Path, port: int, photo: bytes) -> Iterator[int]:
    """Start the peer, wait until it answers ``photo`` (a JPEG) with 200, give its pid, stop it.

    Its output goes to ~/.cache/catalens-bench/NAME.log.

    Raises:
        PeerUnavailable: it cannot be installed, or does not answer.
    """
    python = prepare(peer)
    log = CACHE / f"{peer.name}.log"
    with tempfile.TemporaryDirectory(prefix=f"{peer.name}-") as work, log.open("wb") as output:
        # The working folder is thrown away: some peers leave logs and copies where they run.
        environment = os.environ | {"PYTHONPATH": str(_ROOT), "TMPDIR": work}
        environment |= peer.environment(bundle.resolve(), port)
        server = subprocess.Popen(
            peer.command(bundle.resolve(), port, python),
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_answered(peer, server, port, photo, log)
            yield server.pid
        finally:
            _stop(server)


def _wait_until_answered(
    peer: Peer, server: subprocess.Popen[bytes], port: int, photo: bytes, log: Path
) -> None:
    address = f"http://127.0.0.1:{port}{peer.path}"
    reason = "it did not answer"
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            reason = f"it ended with exit code {server.returncode}"
            break
        try:
            answer = httpx.post(
                address, content=peer.body(photo), headers=peer.headers, timeout=10, trust_env=False
            )
            if answer.status_code == httpx.codes.OK:
                return
            reason = f"it answered {answer.status_code}: {answer.text[:200]}"
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.3)
    raise PeerUnavailable(
        f"{peer.name} does not serve: {reason}.", where=str(log), fix="Read its own words there."
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the process group and what left it; politely first, so that shared memory is freed."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(server.pid).children(recursive=True)
        _signal_group(server.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=_STOP_SECONDS)
        _, left = psutil.wait_procs(children, timeout=_STOP_SECONDS)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=_STOP_SECONDS)
    _signal_group(server.pid, signal.SIGKILL)
    server.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
