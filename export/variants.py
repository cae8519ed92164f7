"""Faster graphs beside fp32: made, measured, and kept where they hold their budgets.

Photo by photo on photos the network was not trained on. A cross-validated run has no such photos
for its final weights, but out-of-fold logits: a variant's answer there is that logit moved by what
the variant moves the final graph's. For photos set aside the two are the same.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.parity import BATCH_SIZES
from export.sessions import cpu_session

COSINE: Final = 0.99
SPEED_BATCH: Final = 16
_ROUNDS = 12
_BATCH = 32
_SMALLEST = np.float32(1e-30)
_PARITY = 0.02


@dataclass(frozen=True)
class Budget:
    """What a variant may cost.

    Attributes:
        net_loss: share of photos by which fewer answers may be right; one photo always may.
        faster: it must beat fp32 on this CPU.
    """

    net_loss: float
    faster: bool


BUDGETS: Final = {"int8": Budget(0.005, True), "fp16": Budget(0.001, False)}


@dataclass(frozen=True)
class Judge:
    """Photos with their true classes, and what an independent model says of them.

    Attributes:
        photos: uint8 [N, S, S, 3].
        logits: out of sample, of the float network, float32 [N, classes].
        target: true class, intp [N].
        temperature: inside the graph.
    """

    photos: NDArray[np.uint8]
    logits: NDArray[np.float32]
    target: NDArray[np.intp]
    temperature: float


@dataclass(frozen=True)
class Judged:
    """A variant against fp32, photo by photo.

    Attributes:
        accuracy: top-1.
        lost: photos that fp32 has right, minus those it has right; negative is a gain.
        photos: how many were judged.
        agreement: share with the same top-1 as fp32.
        cosine: the smallest between its embedding and fp32's.
    """

    accuracy: float
    lost: int
    photos: int
    agreement: float
    cosine: float

    def excess(self, budget: Budget) -> str:
        """Which budget it misses, or an empty string."""
        allowed = max(1, int(budget.net_loss * self.photos))
        if self.lost > allowed:
            return f"it loses {self.lost} of {self.photos} photos, {allowed} are allowed"
        if self.cosine < COSINE:
            return f"an embedding's cosine with fp32 is {self.cosine:.4f}, below {COSINE}"
        return ""


Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]
Make = Callable[[Path], None]


def make_variants(
    fp32: Path, makers: Mapping[str, Make], judge: Judge
) -> tuple[dict[str, tuple[Path, dict[str, Any]]], dict[str, str]]:
    """Make, judge and time the variants.

    Args:
        fp32: the verified graph; the others are written beside it.
        makers: of `BUDGETS`; each writes its graph.
        judge: what to measure on.

    Returns:
        graph and facts of fp32 and of each variant that is kept; why others are not.
    """
    reference = run_graph(fp32, judge.photos)
    judged = {"fp32": compare(judge, reference, reference)}
    graphs, refused = {"fp32": fp32}, {}
    for name, make in makers.items():
        path = fp32.with_name(f"{name}.onnx")
        try:
            make(path)
            check_batches(path, judge.photos)
            found = compare(judge, reference, run_graph(path, judge.photos))
        except Exception as error:  # noqa: BLE001 - fp32 serves any backbone; a variant need not
            refused[name] = f"it cannot be made ({type(error).__name__}: {error})"
            continue
        if reason := found.excess(BUDGETS[name]):
            refused[name] = reason
        else:
            graphs[name], judged[name] = path, found
    seconds = time_graphs(graphs, judge.photos)
    for name in [name for name in graphs if name != "fp32" and BUDGETS[name].faster]:
        ratio = float(np.median(seconds["fp32"] / seconds[name]))
        if ratio <= 1:
            refused[name] = f"it is not faster ({ratio:.2f} x fp32)"
            del graphs[name]
    kept = {name: (path, _facts(judged[name], seconds[name])) for name, path in graphs.items()}
    return kept, refused


def run_graph(graph: Path, photos: NDArray[np.uint8]) -> Outputs:
    """Probabilities and embeddings on the CPU."""
    session = cpu_session(graph)
    parts = [
        session.run(["probabilities", "embedding"], {"images": photos[at : at + _BATCH]})
        for at in range(0, len(photos), _BATCH)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def compare(judge: Judge, reference: Outputs, outputs: Outputs) -> Judged:
    """Hold a variant's outputs against fp32's on the judge's photos."""
    before, after = (
        np.log(np.maximum(probabilities, _SMALLEST)) for probabilities, _ in (reference, outputs)
    )
    answers = judge.logits.argmax(axis=1)
    moved = (judge.logits + judge.temperature * (after - before)).argmax(axis=1)
    right, still_right = answers == judge.target, moved == judge.target
    return Judged(
        float(still_right.mean()),
        int(right.sum()) - int(still_right.sum()),
        len(answers),
        float((answers == moved).mean()),
        float((reference[1] * outputs[1]).sum(axis=1).min()),
    )


def check_batches(graph: Path, photos: NDArray[np.uint8]) -> None:
    """A photo's answer does not depend on how many others are in its batch.

    Raises:
        ValueError: it does.
    """
    session = cpu_session(graph)
    largest = np.resize(photos, (max(BATCH_SIZES), *photos.shape[1:]))
    alone = [session.run(None, {"images": largest[at : at + 1]}) for at in range(len(largest))]
    for size in BATCH_SIZES:
        together = session.run(None, {"images": largest[:size]})
        for output, values in enumerate(together):
            expected = np.concatenate([one[output] for one in alone[:size]])
            difference = float(np.abs(values - expected).max())
            if not difference <= _PARITY:
                raise ValueError(f"at batch {size} it differs by {difference:.2g} from batch 1")


def time_graphs(
    graphs: Mapping[str, Path],
    photos: NDArray[np.uint8],
    batch: int = SPEED_BATCH,
    rounds: int = _ROUNDS,
) -> dict[str, NDArray[np.float64]]:
    """Seconds of one run per graph and round, float64 [rounds]; rounds are interleaved."""
    sessions = {name: cpu_session(path) for name, path in graphs.items()}
    images = np.resize(photos, (batch, *photos.shape[1:]))
    for session in sessions.values():
        session.run(None, {"images": images})
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(None, {"images": images})
            seconds[name].append(time.perf_counter() - started)
    return {name: np.array(found) for name, found in seconds.items()}


def _facts(judged: Judged, seconds: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "accuracy": judged.accuracy,
        "agreement": judged.agreement,
        "embedding_cosine": min(1.0, judged.cosine),
        "photos": judged.photos,
        "images_per_second": round(SPEED_BATCH / float(np.median(seconds)), 1),
        "batch_size": SPEED_BATCH,
    }
