"""`catalens batch`: photos per second beside the ceiling; killed half-way and run again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from bench.catalog.rates import PRODUCTS, large_manifest, measure_rates, probe_bundle
from bench.figures import Figures
from bench.steps import catalens
from inference.batch import BatchConfig
from inference.session import cores

_ROUNDS: Final = 7
_PART_ROWS: Final = BatchConfig().part_rows


def measure_batch(figures: Figures, work: Path) -> None:
    """Add `batch_of_ceiling` over 20,000 photos, and what a kill -9 half-way costs.

    The rate is that from where each core has its first part done, and `batch_command_of_ceiling`
    that of the command: Ray takes 8 s to start and to end, however many photos are between.

    `batch_doubled` and `batch_missing` count photos after the second run, `batch_repeated` the
    photos that it did again beyond the parts that were being written: all three must be 0.

    Args:
        figures: to add to.
        work: where the bundle and the answers are kept.
    """
    bundle = probe_bundle(work)
    manifest = large_manifest(work)
    place = work / "scored"
    flags = ("--device", "cpu", "--variant", "fp32")

    def job() -> dict[str, float]:
        shutil.rmtree(place, ignore_errors=True)
        minutes = catalens("batch", bundle.directory, manifest, place, *flags)
        _check(place)
        return {"batch": _rate(place), "batch_command": PRODUCTS / (60 * minutes)}

    measure_rates(figures, bundle, job, _ROUNDS)
    shutil.rmtree(place)
    command = [sys.executable, "-m", "catalens.cli", "batch", str(bundle.directory)]
    killed = subprocess.Popen([*command, str(manifest), str(place), *flags], start_new_session=True)
    parts = -(-PRODUCTS // _PART_ROWS)
    while len(list(place.glob("part-*.parquet"))) < parts // 2:
        assert killed.poll() is None, "the job ended before it was killed"
        time.sleep(0.2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    time.sleep(5)  # Ray's workers notice that their job has ended
    before = {path: path.stat().st_mtime_ns for path in place.glob("part-*.parquet")}
    catalens("batch", bundle.directory, manifest, place, *flags)
    kept = [path for path, changed in before.items() if path.stat().st_mtime_ns == changed]
    ids = pq.read_table(place, columns=["id"])["id"].to_pylist()
    figures.add("batch_killed_after_parts", len(before))
    figures.add("batch_repeated", (len(before) - len(kept)) * _PART_ROWS)
    figures.add("batch_doubled", len(ids) - len(set(ids)))
    figures.add("batch_missing", PRODUCTS - len(set(ids)))


def _rate(place: Path) -> float:
    """Photos per second from where each worker, one per core, has written a part, to the end."""
    ends = sorted(path.stat().st_mtime for path in place.glob("part-*.parquet"))
    workers = cores()
    return (PRODUCTS - workers * _PART_ROWS) / (ends[-1] - ends[workers - 1])


def _check(place: Path) -> None:
    """An error costs no time, so a rate with errors in it would be none."""
    errors = pq.read_table(place, columns=["error"])["error"]
    assert errors.null_count == len(errors), "photos could not be read"
