"""Speed and behaviour of the server beside the machine's ceiling and the peers, in one run.

Grocery's probe bundle, fp32 and int8, on this machine's cores. Rounds are interleaved: in each
every contestant is started afresh, warmed up and loaded by wrk. Ratios are within a round; the
intervals are the lowest and the highest of the rounds. Then one server is driven below and above
its capacity, uploads are aborted, replicas are multiplied, killed, and one is loaded for minutes;
last, int8 is compared with fp32 in process, photo by photo.
"""

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from bench.figures import Figures
from bench.peers.graph import decode_with_pillow
from bench.peers.registry import (
    PEERS,
    UVICORN_OUR_DECODE,
    UVICORN_WHOLE_PHOTO,
    PeerUnavailable,
    prepare,
)
from bench.serving.aborts import measure_aborts
from bench.serving.closed_loop import load, require_wrk
from bench.serving.cold_start import measure_cold_start
from bench.serving.contestants import (
    JPEG,
    Contestant,
    Ranked,
    check_answers,
    measured_ceiling,
    ourselves,
    peer,
)
from bench.serving.overload import measure_overload
from bench.serving.photos import BATCH, json_batch, large_photos, single_photos, write_bodies
from bench.serving.scaling import measure_scaling
from bench.serving.soak import draw as draw_memory
from bench.serving.soak import measure_soak
from bench.serving.throughput import SECONDS, WARM_UP_S, Rates, Work, draw, measure
from bench.shops import GROCERY, require
from bench.steps import learn
from bench.variants import measure_variants
from catalens.background import served
from catalog.images import decode
from inference.bundle import Bundle
from inference.session import Session

RESULTS = Path(__file__).parents[1] / "results"
_ROUNDS = 3
_CEILING_SECONDS = 6.0
_PORT = 8460
_CHECKED = 20
_console = Console(stderr=True)


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, draw, write."""
    require_wrk()
    figures = Figures()
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        bundle, _ = learn(require(GROCERY), Path(folder), "probe_grocery", "--recipe", "probe")
        photos = single_photos()
        files = write_bodies(Path(folder) / "single", photos)
        rates = _rounds(figures, bundle, photos, files, Path(folder))
        _ratios(figures, rates)
        draw(rates, RESULTS / "serving.png")
        _behaviour(figures, bundle, photos, files)
        _console.print("int8 against fp32")
        measure_variants(figures, Path(folder))
    figures.show("Serving")
    if json_file:
        figures.write(json_file)


def _rounds(
    figures: Figures, bundle: Bundle, photos: list[bytes], files: Sequence[Path], folder: Path
) -> Rates:
    variants = [name for name in ("fp32", "int8") if name in bundle.document.variants]
    ours = [ourselves(bundle.directory, variant, _PORT) for variant in variants]
    peers = _those_that_run(bundle, photos[0])
    large = large_photos()
    whole, same = (
        peer(one, *_place(bundle), photos[0]) for one in (UVICORN_WHOLE_PHOTO, UVICORN_OUR_DECODE)
    )
    jobs: list[tuple[Contestant, list[Work]]] = []
    for one in ours:
        works = [_work("single", one, photos, folder), _work("large", one, large, folder)]
        batch = write_bodies(folder / "batch32", [json_batch(photos), json_batch(photos[BATCH:])])
        # As many photos in flight as the queue admits by far.
        works.insert(1, Work("batch32", batch, BATCH, "application/json", one.path, concurrency=4))
        jobs.append((one, works))
    jobs += [(one, [_work("single", one, photos, folder)]) for one in (*peers, same)]
    jobs.append((whole, [_work("large", whole, large, folder)]))
    rates = Rates()
    for number in range(_ROUNDS):
        for variant in variants:
            _console.print(f"round {number + 1} of {_ROUNDS}: ceiling {variant}")
            found = measured_ceiling(bundle.directory, variant, "cpu", _CEILING_SECONDS, files)
            rates.add(f"ceiling_{variant}", "single", max(found.values()))
            rates.add(f"ceiling_{variant}", "batch32", max(found.values()))
            for layout, rate in found.items():
                rates.add(f"ceiling_{variant} ({layout})", "layout", rate)
        for one, works in jobs:
            _console.print(f"round {number + 1} of {_ROUNDS}: {one.name}")
            with one.serving() as address:
                if number == 0 and one is not whole:
                    variant = "int8" if one.name.endswith("int8") else "fp32"
                    pillow = one in peers
                    expected = _expected(bundle, variant, photos[:_CHECKED], pillow=pillow)
                    check_answers(one, address, photos[:_CHECKED], expected)
                measure(one, address, works, rates)
    for name, work in rates.rounds:
        figures.add(f"{work}_photos_per_second {name}", rates.median(name, work))
    figures.add("generator_cores", max(rates.generator_cores))
    return rates


def _ratios(figures: Figures, rates: Rates) -> None:
    best = next(name for name in rates.names("single") if name in {one.name for one in PEERS})
    _console.print(f"the fastest peer: {best}")
    figures.add("single_fp32_of_ceiling", *rates.ratio("catalens_fp32", "ceiling_fp32", "single"))
    figures.add("single_fp32_of_best_peer", *rates.ratio("catalens_fp32", best, "single"))
    figures.add("single_int8_of_best_peer", *rates.ratio("catalens_int8", best, "single"))
    figures.add("single_int8_of_ceiling", *rates.ratio("catalens_int8", "ceiling_int8", "single"))
    figures.add("batch32_fp32_of_ceiling", *rates.ratio("catalens_fp32", "ceiling_fp32", "batch32"))
    same = UVICORN_OUR_DECODE.name
    figures.add(
        "single_fp32_of_peer_with_our_decode", *rates.ratio("catalens_fp32", same, "single")
    )
    whole = UVICORN_WHOLE_PHOTO.name
    figures.add("large_photo_of_whole_decode", *rates.ratio("catalens_fp32", whole, "large"))
    figures.add("int8_of_fp32_with_decode", *rates.ratio("ceiling_int8", "ceiling_fp32", "single"))


def _behaviour(
    figures: Figures, bundle: Bundle, photos: Sequence[bytes], files: Sequence[Path]
) -> None:
    fp32 = "--variant", "fp32"
    with served(bundle.directory, None, _PORT, *fp32) as address:
        _console.print("below and above capacity")
        url = f"{address}/v1/classify"
        load(url, files, JPEG, seconds=WARM_UP_S)
        measure_overload(
            figures, address, photos, lambda: load(url, files, JPEG, seconds=SECONDS).rate
        )
        _console.print("cold starts")
        measure_cold_start(figures, address, photos[0])
    _console.print("aborted uploads")
    measure_aborts(figures, bundle.directory, photos, _PORT)
    _console.print("more replicas")
    measure_scaling(figures, bundle.directory, photos, _PORT, RESULTS / "scaling.png")
    _console.print("ten minutes of full load")
    with served(bundle.directory, None, _PORT, *fp32) as address:
        draw_memory(measure_soak(figures, address, photos), RESULTS / "soak.png")


def _those_that_run(bundle: Bundle, photo: bytes) -> list[Contestant]:
    """The peers that can be installed and started here; why not is said of the others."""
    found = []
    for one in PEERS:
        contestant = peer(one, *_place(bundle), photo)
        try:
            prepare(one)
            with contestant.serving():
                found.append(contestant)
        except PeerUnavailable as error:
            _console.print(f"{one.name} cannot run here: {error}")
    return found


def _place(bundle: Bundle) -> tuple[Path, Sequence[str], int]:
    return bundle.directory, bundle.document.classes, _PORT


def _work(name: str, one: Contestant, photos: Sequence[bytes], folder: Path) -> Work:
    bodies = write_bodies(folder / f"{name}-{one.name}", [one.body(photo) for photo in photos])
    return Work(name, bodies, 1, one.content_type, one.path, one.headers)


def _expected(
    bundle: Bundle, variant: str, photos: Sequence[bytes], *, pillow: bool
) -> list[Ranked]:
    """The five best of the graph in process.

    Peers decode with ``pillow``, which rounds every sixth pixel value to the one beside ours.
    """
    session = Session(bundle, variant=variant, device="cpu")
    image = bundle.document.image
    ranked = []
    for photo in photos:
        pixels = (
            decode_with_pillow(photo, image.size, image.crop) if pillow else decode(photo, image)
        )
        shares = session.run(pixels[None]).probabilities[0]
        best = (-shares).argsort()[:5]
        ranked.append([(bundle.document.classes[place], float(shares[place])) for place in best])
    return ranked
