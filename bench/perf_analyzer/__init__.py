"""Triton's own load generator at `/v2`, beside wrk at `/v1/classify`: does the protocol cost?

Grocery's photos, one per request, 16 connections, rounds that take turns on one server.
"""

import base64
import csv
import json
import os
import struct
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from bench.catalog.rates import probe_bundle
from bench.figures import Figures
from bench.peers.environment import PeerUnavailable, environment
from bench.serving.closed_loop import load
from bench.serving.photos import single_photos, write_bodies
from catalens.background import served

_PORT: Final = 8482
_CONNECTIONS: Final = 16
_SECONDS: Final = 10
_ROUNDS: Final = 3


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write.

    Raises:
        PeerUnavailable: perf_analyzer cannot be installed or run here.
    """
    figures = Figures()
    photos = single_photos()
    ours, theirs, p99 = [], [], []
    with TemporaryDirectory() as folder:
        bundle = probe_bundle(work or Path(folder))
        bodies = write_bodies(Path(folder) / "bodies", photos)
        data = Path(folder) / "data.json"
        data.write_text(json.dumps(_tensors(photos)), encoding="utf-8")
        with served(bundle.directory, None, _PORT) as address:
            classify = f"{address}/v1/classify"
            load(classify, bodies, "image/jpeg", seconds=_SECONDS, concurrency=_CONNECTIONS)
            for _ in range(_ROUNDS):
                found = load(
                    classify, bodies, "image/jpeg", seconds=_SECONDS, concurrency=_CONNECTIONS
                )
                ours.append(found.rate)
                row = _analyzed(data, Path(folder) / "found.csv")
                theirs.append(float(row["Inferences/Second"]))
                p99.append(float(row["p99 latency"]) / 1000)
    ratios = np.array(theirs) / np.array(ours)
    figures.add("perf_analyzer_of_wrk", np.median(ratios), (ratios.min(), ratios.max()))
    figures.add("perf_analyzer_photos_per_second", np.median(theirs))
    figures.add("perf_analyzer_p99_ms", np.median(p99))
    figures.show("/v2 by perf_analyzer")
    if json_file:
        figures.write(json_file)


def _tensors(photos: Sequence[bytes]) -> dict[str, object]:
    """Its input file: a BYTES element is the photo after its length."""
    elements = [struct.pack("<I", len(photo)) + photo for photo in photos]
    return {"data": [{"encoded": {"b64": base64.b64encode(one).decode()}} for one in elements]}


def _analyzed(data: Path, table: Path) -> dict[str, str]:
    """Its row of figures."""
    python = environment(Path(__file__).parent)
    base = str(python.parents[1])
    packages = Path(sysconfig.get_path("purelib", vars={"base": base}))
    run = subprocess.run(
        [
            *(str(python.with_name("perf_analyzer")), "-m", "classifier"),
            *("-u", f"127.0.0.1:{_PORT}", "--input-data", str(data), "--shape", "encoded:1"),
            *("--concurrency-range", str(_CONNECTIONS), "--measurement-interval"),
            *(str(_SECONDS * 1000), "-f", str(table)),
        ],
        env=os.environ | {"LD_LIBRARY_PATH": str(packages / "nvidia" / "cuda_runtime" / "lib")},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise PeerUnavailable(
            f"perf_analyzer failed: {(run.stderr or run.stdout).strip()[-500:]}",
            where=f"127.0.0.1:{_PORT}",
            fix="It needs libb64: apt-get install libb64-0d",
        )
    with table.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    return row
