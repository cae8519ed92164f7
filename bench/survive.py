"""Under constant load, one thing after another is killed or changed: how many requests it costs.

On a simulated cluster (see `bench.cluster.simulated`) with two replicas on two nodes. A request
fails when its connection drops, when no answer comes, or when the answer is not a 200. Beside it,
which never repeats anything, `catalens.client` works: it sends a request once more.
"""

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from bench.catalog.rates import empty_catalog, probe_bundle
from bench.cluster.simulated import Cluster, cluster, configuration
from bench.figures import Figures
from bench.serving.open_loop import constant, shoot
from bench.serving.photos import single_photos
from catalens.background import wait_until_ready
from catalens.client import Client, ClientError
from inference.bundle import Bundle, rewrite_match
from serve.ports import free_ports

_RATE: Final = 40.0
_SECONDS: Final = 40.0
_HIT_AFTER_S: Final = 8.0
_THERE_S: Final = 12.0
_REPLICAS: Final = 2
_REPLICAS_WITHIN_S: Final = 120.0


@dataclass(frozen=True)
class Ground:
    """What the cases work on.

    Attributes:
        cluster: that runs.
        config: that was deployed.
        second: another bundle.
    """

    cluster: Cluster
    config: dict[str, Any]
    second: Path

    @property
    def classifier(self) -> dict[str, Any]:
        """What the configuration says of the classifier; `deploy` applies a change of it."""
        found: dict[str, Any] = self.config["applications"][0]["deployments"][0]
        return found

    def deploy(self) -> None:
        """The configuration as it is now."""
        self.cluster.deploy(self.config)

    def there_and_back(self, bundle: str) -> None:
        """Another bundle for twelve seconds."""
        user_config = self.classifier["user_config"]
        before, user_config["bundle"] = user_config["bundle"], bundle
        self.deploy()
        time.sleep(_THERE_S)
        user_config["bundle"] = before
        self.deploy()


def kill_replica(ground: Ground) -> None:
    """Kill -9 of one of the replicas."""
    ground.cluster.processes("ray::ServeReplica:catalens:Classifier")[0].kill()


def kill_node(ground: Ground) -> None:
    """A node goes, with all that runs on it."""
    raylet = ground.cluster.processes("raylet/raylet")[-1]  # the first one is the head's
    for process in (*raylet.children(recursive=True), raylet):
        process.kill()


def kill_controller(ground: Ground) -> None:
    """Kill -9 of Serve's controller."""
    ground.cluster.processes("ray::ServeController")[0].kill()


def restart_gcs(ground: Ground) -> None:
    """The GCS dies, and is there again two seconds later, with what Redis has kept."""
    gcs = ground.cluster.processes("gcs_server")[0]
    command, variables = gcs.cmdline(), gcs.environ()
    gcs.send_signal(signal.SIGKILL)
    time.sleep(2)
    subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_haproxy(ground: Ground) -> None:
    """Kill -9 of HAProxy."""
    for process in ground.cluster.processes("haproxy"):
        if process.name() == "haproxy":  # not what watches over it
            process.kill()


def swap(ground: Ground) -> None:
    """Another bundle, and back."""
    ground.there_and_back(str(ground.second))


def bad_bundle(ground: Ground) -> None:
    """A bundle that there is none of, and back."""
    ground.there_and_back("/nowhere")


def redeploy(ground: Ground) -> None:
    """The configuration once more, with another delay."""
    ground.classifier["autoscaling_config"]["downscale_delay_s"] += 1
    ground.deploy()


def scale_down(ground: Ground) -> None:
    """From two replicas to one."""
    ground.classifier["autoscaling_config"] |= {"min_replicas": 1, "max_replicas": 1}
    ground.deploy()


CASES: Final[dict[str, Callable[[Ground], None]]] = {
    "replica": kill_replica,
    "swap": swap,
    "bad_bundle": bad_bundle,
    "redeploy": redeploy,
    "controller": kill_controller,
    "haproxy": kill_haproxy,
    "gcs": restart_gcs,
    "node": kill_node,
    "scale_down": scale_down,
}
PARTS: Final = tuple(CASES)


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Measure every case or one, print, write."""
    figures = Figures()
    with TemporaryDirectory() as folder:
        bundle = probe_bundle(work or Path(folder))
        for name in [part] if part else CASES:
            with _ground(bundle, Path(folder) / name) as ground:
                _measure(figures, name, ground)
            if json_file:
                figures.add_to(json_file)
    figures.show("Failed requests under constant load")


@contextmanager
def _ground(bundle: Bundle, place: Path) -> Iterator[Ground]:
    """A cluster of its own for each case: what one broke is not in the way of the next."""
    place.mkdir()
    catalog = empty_catalog(bundle, place / "catalog")
    rewrite_match(bundle, place / "second", bundle.match_model, "nothing, to be another")
    (port,) = free_ports(1)
    with _redis(place) as redis, cluster(port, _REPLICAS, redis) as found:
        config = configuration(bundle.directory, catalog, port, (_REPLICAS, _REPLICAS))
        found.deploy(config)
        wait_until_ready(found.url)
        until = time.monotonic() + _REPLICAS_WITHIN_S
        while found.replicas() < _REPLICAS:
            if time.monotonic() > until:
                raise TimeoutError(f"{found.replicas()} of {_REPLICAS} replicas run")
            time.sleep(0.5)
        time.sleep(5)  # HAProxy has heard of the last one
        yield Ground(found, config, place / "second")


@contextmanager
def _redis(place: Path) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed (apt-get install redis-server).")
    (port,) = free_ports(1)
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _measure(figures: Figures, name: str, ground: Ground) -> None:
    failures: list[float] = []
    asked = [0]
    stop = threading.Event()

    def ask() -> None:
        """As a client that sends a request once more does, one after the other."""
        photo = single_photos()[0]
        with Client(ground.cluster.url, timeout=30) as client:
            while not stop.wait(0.1):
                asked[0] += 1
                try:
                    client.classify([photo])
                except ClientError:
                    failures.append(time.time())

    asking = threading.Thread(target=ask)
    shooting = shoot(ground.cluster.url, single_photos(), constant(_RATE, _SECONDS))
    asking.start()
    time.sleep(_HIT_AFTER_S)
    hit = time.time()
    try:
        CASES[name](ground)
        shots = shooting.result()
    finally:
        stop.set()
        asking.join()
    failed = ~shots.good
    last = max([*(shots.began + shots.due[failed] - hit).tolist(), 0.0])
    figures.add(f"failed_{name}", int(failed.sum()))
    figures.add(f"requests_{name}", len(failed))
    figures.add(f"failed_{name}_after_retry", len(failures))
    figures.add(f"asked_{name}_with_retry", asked[0])
    figures.add(f"recovery_{name}_s", last)
    figures.add(f"longest_{name}_s", float(np.nanmax(shots.seconds)))
