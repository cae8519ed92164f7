"""Twenty minutes of bad input: no 5xx, no connection that drops, no hang, no memory that grows.

`schemathesis` makes calls of the OpenAPI description, good and bad ones; beside it hypothesis bends
real photos, forms, JSON and imports byte by byte. Afterwards the server answers as before.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
from rich.console import Console

from bench.catalog.rates import empty_catalog, probe_bundle
from bench.figures import Figures
from bench.fuzz.bodies import Bent, bend
from bench.serving.photos import single_photos
from bench.serving.processes import MemoryWatch
from bench.serving.soak import Memory
from catalens.background import served

_PORT: Final = 8470
_MINUTES: Final = 20.0
_SCHEMATHESIS: Final = "schemathesis==4.32.5"
_UV: Final = Path(sys.executable).with_name("uv")


def main(json_file: Path | None, work: Path | None, minutes: float = _MINUTES) -> None:
    """Measure, print, write."""
    figures = Figures()
    with TemporaryDirectory() as folder:
        bundle = probe_bundle(work or Path(folder))
        catalog = empty_catalog(bundle, Path(folder) / "catalog")
        with served(bundle.directory, catalog, _PORT) as address:
            before = _answer(address)
            with MemoryWatch(address) as watch:
                codes, bent = _attack(address, minutes * 60)
            after = _answer(address)
    memory = Memory(*watch.samples.T)
    figures.add("fuzz_minutes", minutes)
    figures.add("fuzz_schema_runs", len(codes))
    figures.add("fuzz_schema_runs_failed", sum(code != 0 for code in codes))
    figures.add("fuzz_bodies", sum(bent.statuses.values()))
    figures.add("fuzz_5xx", bent.of(lambda status: status >= 500 and status != 503))
    figures.add("fuzz_overloaded", bent.of(lambda status: status == 503))
    figures.add("fuzz_accepted", bent.of(lambda status: status == 200))
    figures.add("fuzz_dropped", bent.dropped)
    figures.add("fuzz_longest_s", bent.longest_s)
    figures.add("fuzz_rss_growth", memory.growth(memory.tree))
    figures.add("fuzz_replica_rss_growth", memory.growth(memory.replicas))
    # The first half fills an empty catalog, and the caches of what reads it.
    figures.add("fuzz_replica_rss_growth_second_half", memory.growth(memory.replicas, 0.5))
    figures.add("fuzz_answer_changed", int(before != after))
    figures.show("Bad input")
    if json_file:
        figures.add_to(json_file)


def _attack(address: str, seconds: float) -> tuple[list[int], Bent]:
    """Exit codes of schemathesis, run again and again, and what became of the bent bodies."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(1) as beside:
        by_schema = beside.submit(_call_by_schema, address, until)
        bent = bend(address, single_photos()[0], until)
        return by_schema.result(), bent


def _call_by_schema(address: str, until: float) -> list[int]:
    codes: list[int] = []
    with TemporaryDirectory() as folder:
        while time.monotonic() < until:
            run = subprocess.run(
                [
                    *(str(_UV), "tool", "run", "--quiet", "--from", _SCHEMATHESIS, "schemathesis"),
                    *("run", f"{address}/openapi.json", "--seed", str(len(codes))),
                    *("--checks", "not_a_server_error,response_schema_conformance"),
                    # It has no serializer for lines of JSON; `bend` sends imports.
                    *("--exclude-path", "/v1/products:import"),
                    *("--max-examples", "30", "--request-timeout", "30", "--no-color"),
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
            )
            codes.append(run.returncode)
            if run.returncode:
                Console(stderr=True).print(run.stdout[-4_000:], markup=False)
    return codes


def _answer(address: str) -> object:
    photo = single_photos()[0]
    answer = httpx.post(f"{address}/v1/classify", content=photo, timeout=30, trust_env=False)
    return answer.raise_for_status().json()
