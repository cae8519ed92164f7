"""Speed on one NVIDIA GPU: the ceiling in process, HTTP throughput, latency below capacity.

Grocery's probe bundle, as fp32 and fp16, with CUDA and with TensorRT where they work. For each: the
graph alone on full batches; the in-process ceiling, with a decode thread per core; one photo per
request, 64 at a time; 32 photos per request, 8 at a time; and the latency of open-loop load at 70%
of the single-photo rate. Batches are as large as the server's: CATALENS_MAX_BATCH changes both.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.figures import Figures
from bench.serving.closed_loop import load, require_wrk
from bench.serving.contestants import JPEG, measured_ceiling
from bench.serving.open_loop import constant, shoot
from bench.serving.overload import percentile
from bench.serving.photos import BATCH, json_batch, single_photos, write_bodies
from bench.shops import GROCERY, require
from bench.steps import learn
from catalens.background import served
from catalog.errors import DeviceUnavailable
from inference.bundle import Bundle
from inference.devices import RealDevice, usable
from inference.session import Session
from serve.settings import read_settings

_DEVICES: Sequence[RealDevice] = ("cuda", "tensorrt")
_PORT = 8460
_SINGLE_CONCURRENCY, _BATCH_CONCURRENCY = 64, 8
_WARM_UP_S, _SECONDS = 5.0, 15.0
_BELOW, _BELOW_S = 0.7, 60.0
_console = Console(stderr=True)


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write.

    Raises:
        DeviceUnavailable: no GPU works here; says which library is missing.
    """
    require_wrk()
    usable("cuda")
    figures = Figures()
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        bundle, _ = learn(require(GROCERY), Path(folder), "probe_grocery", "--recipe", "probe")
        photos = single_photos()
        files = write_bodies(Path(folder) / "single", photos)
        batches = [json_batch(photos), json_batch(photos[BATCH:])]
        for device in _DEVICES:
            try:
                usable(device)
            except DeviceUnavailable as error:
                _console.print(f"{device} is left out: {error}")
                continue
            for variant in [name for name in ("fp32", "fp16") if name in bundle.document.variants]:
                _console.print(f"{device}, {variant}")
                label = f"{device}_{variant}"
                _in_process(figures, label, bundle, variant, device, files)
                _over_http(figures, label, bundle, photos, files, batches)
    figures.show("One GPU")
    if json_file:
        figures.write(json_file)


def _in_process(
    figures: Figures,
    label: str,
    bundle: Bundle,
    variant: str,
    device: RealDevice,
    files: Sequence[Path],
) -> None:
    most, side = read_settings().max_batch, bundle.document.image.size
    session = Session(bundle, variant=variant, device=device, max_batch=most)
    images = np.zeros((most, side, side, 3), np.uint8)
    session.run(images)
    started, runs = time.perf_counter(), 0
    while time.perf_counter() - started < _WARM_UP_S:
        session.run(images)
        runs += 1
    figures.add(f"{label}_graph_photos_per_second", runs * most / (time.perf_counter() - started))
    del session
    found = measured_ceiling(bundle.directory, variant, device, _SECONDS, files)
    figures.add(f"{label}_ceiling_photos_per_second", max(found.values()))


def _over_http(
    figures: Figures,
    label: str,
    bundle: Bundle,
    photos: Sequence[bytes],
    files: Sequence[Path],
    batches: Sequence[bytes],
) -> None:
    device, variant = label.split("_")
    ceiling = figures.values[f"{label}_ceiling_photos_per_second"]
    batch_files = write_bodies(files[0].parents[1] / "batch32", batches)
    flags = ("--device", device, "--variant", variant)
    with served(bundle.directory, None, _PORT, *flags) as address:
        url = f"{address}/v1/classify"
        load(url, files, JPEG, seconds=_WARM_UP_S, concurrency=_SINGLE_CONCURRENCY)
        single = load(url, files, JPEG, seconds=_SECONDS, concurrency=_SINGLE_CONCURRENCY)
        figures.add(f"{label}_single_photos_per_second", single.rate)
        figures.add(f"{label}_single_of_ceiling", single.rate / ceiling)
        figures.add(f"{label}_single_p99_s", single.p99_s)
        json = "application/json"
        load(url, batch_files, json, seconds=_WARM_UP_S, concurrency=_BATCH_CONCURRENCY)
        many = load(url, batch_files, json, seconds=_SECONDS, concurrency=_BATCH_CONCURRENCY)
        figures.add(f"{label}_batch32_of_ceiling", many.rate * BATCH / ceiling)
        below = shoot(address, photos, constant(_BELOW * single.rate, _BELOW_S)).result()
        figures.add(f"{label}_at_70_median_s", np.nanmedian(below.seconds))
        figures.add(f"{label}_at_70_p99_s", percentile(below, 99))
        figures.add(f"{label}_not_200", single.not_200 + many.not_200 + int((~below.good).sum()))
