"""Closed-loop load from another process: wrk, so many requests in flight, as fast as they go."""

import json
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from catalog.errors import InvalidRequest

_SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Load:
    """What a stretch of load gave.

    Attributes:
        rate: answers with 200 per second.
        not_200: answers with another status.
        broken: connections that failed or timed out.
        p50_s: median latency.
        p99_s: 99th percentile of the latency.
        generator_cores: CPU that the generator itself took, in cores.
    """

    rate: float
    not_200: int
    broken: int
    p50_s: float
    p99_s: float
    generator_cores: float


def require_wrk() -> str:
    """The generator's path.

    Raises:
        InvalidRequest: it is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise InvalidRequest(
            "the load generator is not installed.", where="wrk", fix="apt-get install wrk"
        )
    return found


def load(
    url: str,
    bodies: Sequence[Path],
    content_type: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    seconds: float,
    concurrency: int = 16,
) -> Load:
    """Post the bodies in rotation over ``concurrency`` connections.

    Raises:
        InvalidRequest: wrk is not installed, or failed.
    """
    command = [require_wrk(), "-t1", f"-c{concurrency}", f"-d{round(seconds)}s", "--timeout", "30s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    before = _cpu_of_children()
    run = subprocess.run(
        [*command, "-s", str(_SCRIPT), url, "--", content_type, *map(str, bodies)],
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise InvalidRequest(f"wrk failed: {run.stderr.strip()}", where=url)
    said = json.loads(run.stdout.strip().splitlines()[-1])
    good = said["answers"] - said["not_200"]
    return Load(
        rate=good / said["seconds"],
        not_200=said["not_200"],
        broken=said["broken"],
        p50_s=said["p50_s"],
        p99_s=said["p99_s"],
        generator_cores=(_cpu_of_children() - before) / said["seconds"],
    )


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
