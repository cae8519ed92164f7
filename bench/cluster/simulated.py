"""A head and nodes that come and go, all processes of this machine; what runs on them is real.

Ray's own fake node provider starts a raylet in the place of a virtual machine; the autoscaler, the
controller of Serve, HAProxy and the replicas are those of a cluster. GPUs are only counted.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import yaml

from serve.launch import environment
from serve.launch_config import ServeConfig
from serve.ports import free_ports

_CONFIG: Final = Path("serve/config/gpu.yaml")
_ENVIRONMENT: Final = Path("k8s/base/environment.env")
_PROVIDER: Final = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
# Minutes of a real cluster in seconds of this one, each still longer than the look-back.
_QUICK: Final = {"look_back_period_s": 3, "upscale_delay_s": 4, "downscale_delay_s": 20}
_IDLE_S: Final = 10.0


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Attributes:
        url: of the application.
        dashboard: of Ray.
        mark: in the environment of all its processes.
        variables: that environment.
    """

    url: str
    dashboard: str
    mark: str
    variables: Mapping[str, str]

    def processes(self, name: str) -> list[psutil.Process]:
        """Its processes whose command line has that in it, the oldest first."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("CATALENS_BENCH") != self.mark:
                    continue
                if name in " ".join(process.cmdline()):
                    found.append(process)
        return sorted(found, key=lambda one: one.create_time())

    def replicas(self) -> int:
        """Of the classifier, that run."""
        deployments = self._get("/api/serve/applications/")["applications"]["catalens"][
            "deployments"
        ]
        states = [one["state"] for one in deployments["Classifier"]["replicas"]]
        return states.count("RUNNING")

    def nodes(self) -> int:
        """That live, without the head."""
        listed = self._get("/api/v0/nodes?limit=100")["data"]["result"]["result"]
        return sum(one["state"] == "ALIVE" and not one["is_head_node"] for one in listed)

    def deploy(self, config: Mapping[str, Any]) -> None:
        """What `serve deploy` does."""
        self._ask("PUT", "/api/serve/applications/", config)

    def _get(self, path: str) -> Any:
        return self._ask("GET", path).json()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        token = self.variables["RAY_AUTH_TOKEN"]
        answer = httpx.request(
            method,
            self.dashboard + path,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )
        return answer.raise_for_status()


def configuration(
    bundle: Path, catalog: Path, port: int, replicas: tuple[int, int]
) -> dict[str, Any]:
    """The configuration for GPUs, with the graph on the CPU and delays that fit a benchmark.

    Args:
        bundle: that answers.
        catalog: that is served.
        port: of the application.
        replicas: at least and at most.
    """
    config: dict[str, Any] = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))
    config["proxy_location"] = "HeadOnly"  # the nodes of one machine share its ports
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    (application,) = config["applications"]
    application["args"] = {"catalog": str(catalog), "device": "cpu", "cpus": 1, "gpus": 1}
    classifier = application["deployments"][0]
    classifier["user_config"] = {"bundle": str(bundle)}
    least, most = replicas
    classifier["autoscaling_config"] |= _QUICK | {
        "min_replicas": least,
        "max_replicas": most,
        "target_ongoing_requests": 3,  # so that loads that two cores carry call for several
    }
    return config


@contextmanager
def cluster(port: int, most_nodes: int, redis: str | None = None) -> Iterator[Cluster]:
    """A head without GPU, and up to so many nodes with one each; gone at the end.

    Args:
        port: of the application.
        most_nodes: beside the head.
        redis: address of a Redis that keeps what the head must not forget, if there is one.
    """
    dashboard, gcs = free_ports(2, besides=(port,))
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets have short names
    mark = uuid.uuid4().hex
    variables = (
        dict(os.environ)
        | environment(ServeConfig(port=port), folder)
        | _shipped()
        | {
            "CATALENS_BENCH": mark,
            "CATALENS_CORES": "1",
            "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2,
            "RAY_ADDRESS": f"127.0.0.1:{gcs}",
            "RAY_FAKE_CLUSTER": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        }
    )
    if redis is not None:
        variables |= {"RAY_REDIS_ADDRESS": redis, "RAY_external_storage_namespace": mark}
    address = "http://127.0.0.1"
    found = Cluster(f"{address}:{port}", f"{address}:{dashboard}", mark, variables)
    scaling = folder / "scaling.yaml"
    scaling.write_text(yaml.safe_dump(_scaling(most_nodes, f"127.0.0.1:{gcs}")))
    try:
        subprocess.run(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head"),
                *(f"--port={gcs}", "--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0"),
                *("--include-dashboard=true", f"--dashboard-port={dashboard}"),
                *(f"--autoscaling-config={scaling}", "--disable-usage-stats"),
                f"--temp-dir={folder / 'r'}",
            ],
            env=variables,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield found
    finally:
        left = found.processes("")
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(left, timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _shipped() -> dict[str, str]:
    """What the pods of k8s/ are given, but for what is the image's own."""
    lines = _ENVIRONMENT.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    found = {
        name: value
        for name, _, value in pairs
        if not name.startswith("CATALENS_") and not name.endswith(("BINARY_PATH", "LOG_TARGET"))
    }
    return found | {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "30"}  # Ray's default


def _scaling(most_nodes: int, gcs: str) -> dict[str, Any]:
    return {
        "cluster_name": "catalens",
        "max_workers": most_nodes,
        "idle_timeout_minutes": _IDLE_S / 60,
        "provider": {
            "type": "external",
            "module": _PROVIDER,
            "gcs_address": gcs,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
            "gpu-workers": {
                "resources": {"CPU": 1, "GPU": 1},
                "node_config": {},
                "min_workers": 0,
                "max_workers": most_nodes,
            },
        },
        "head_node_type": "ray.head.default",
        # What the cluster launcher would fill in: nothing is copied or run on a node.
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        "auth": {},
        "initialization_commands": [],
        "setup_commands": [],
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
        "upscaling_speed": 1.0,
    }
