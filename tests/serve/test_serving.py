"""`catalens serve` as a user starts it: HAProxy, Ray, signals, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from catalens.client import Client
from serve.ports import free_ports
from tests.colours import colour_photo
from tests.serve.conftest import empty_catalog

pytestmark = pytest.mark.e2e
RED = colour_photo("Warm/Red")
_START_S, _STOP_S, _METRICS_S = 180, 30, 60


@dataclass(frozen=True)
class Started:
    """A server of `catalens serve`; its processes carry a mark in their environment."""

    process: subprocess.Popen[str]
    url: str
    metrics_url: str
    mark: str

    def pids(self) -> list[int]:
        """All processes of the server that live."""
        return [
            int(path.name) for path in Path("/proc").glob("[0-9]*") if _carries(path, self.mark)
        ]

    def addresses(self) -> set[str]:
        """What they listen on, as /proc/net writes it."""
        inodes = {
            os.readlink(fd)
            for pid in self.pids()
            for fd in Path(f"/proc/{pid}/fd").glob("*")
            if os.path.lexists(fd)
        }
        found = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    found.add(fields[1].rpartition(":")[0])
        return found


def _carries(process: Path, mark: str) -> bool:
    try:
        living = (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return living and mark.encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def start(tiny_bundle: Path) -> Iterator[Callable[[str], Started]]:
    servers: list[Started] = []

    def start(catalog: str) -> Started:
        port, metrics = free_ports(2)
        mark = uuid.uuid4().hex
        arguments = ["serve", str(tiny_bundle), "--catalog", catalog, "--port", str(port)]
        arguments += ["--metrics-port", str(metrics)]
        process = subprocess.Popen(
            [sys.executable, "-m", "catalens.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "SERVER_MARK": mark},
            start_new_session=True,
        )
        metrics_url = f"http://127.0.0.1:{metrics}/metrics"
        servers.append(Started(process, f"http://127.0.0.1:{port}", metrics_url, mark))
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                return servers[-1]
        raise AssertionError("".join(said))

    yield start
    for server in servers:
        for pid in server.pids():
            os.kill(pid, signal.SIGKILL)


def check_metrics(server: Started) -> None:
    """Three photos, of which one is none, are in what Prometheus reads."""
    with Client(server.url) as client:
        client.classify([RED, RED])
    bad = httpx.post(f"{server.url}/v1/classify", content=b"none", trust_env=False)
    assert bad.status_code == 400

    def counted() -> bool:
        lines = httpx.get(server.metrics_url, trust_env=False).text.splitlines()

        def value(name: str, label: str) -> float:
            found = [line for line in lines if line.startswith(name) and label in line]
            return sum(float(line.rpartition(" ")[2]) for line in found)

        return (
            value("ray_catalens_photos_total", 'outcome="computed"') == 2
            and value("ray_catalens_photos_total", 'outcome="unreadable"') == 1
            and value("ray_catalens_requests_total", 'status="400"') == 1
            and value("ray_catalens_stage_seconds_count", 'stage="decode"') == 2
            and value("ray_catalens_batch_photos_count", "") >= 1
            and value("ray_catalens_model_info", 'device="cpu"') == 1
        )

    until(counted, _METRICS_S)


@pytest.mark.timeout(_START_S * 3)
def test_a_put_survives_kill_9_and_ctrl_c_leaves_nothing_behind(
    tiny_bundle: Path, tmp_path: Path, start: Callable[[str], Started]
) -> None:
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")

    first = start(catalog)
    with Client(first.url) as client:
        assert client.classify([RED]).results[0].categories[0].path == "Warm/Red"
        client.put_product("kept/1", photo=RED, name="Vermilion", category="Warm/Red")
    for pid in first.pids():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not first.pids(), _STOP_S)

    second = start(catalog)
    with Client(second.url) as client:
        assert client.get_product("kept/1").photos == 1
        assert client.search(text="vermilion")[0].id == "kept/1"
        client.put_product("kept/2", name="Carmine", category="Warm/Red")
        assert client.search(text="carmine")[0].id == "kept/2"
    assert second.addresses() <= {"0100007F", "0000000000000000FFFF00000100007F"}
    large = httpx.post(
        f"{second.url}/v1/classify",
        content=bytes(21 * 2**20),
        headers={"Content-Type": "image/jpeg"},
        trust_env=False,
    )
    assert (large.status_code, large.json()["type"]) == (413, "image-too-large")
    assert httpx.get(f"{second.url}/readyz", trust_env=False).status_code == 200
    check_metrics(second)

    os.killpg(second.process.pid, signal.SIGINT)
    said, _ = second.process.communicate(timeout=_STOP_S)
    assert second.process.returncode == 0, said
    assert "Stopped." in said
    assert second.pids() == []
