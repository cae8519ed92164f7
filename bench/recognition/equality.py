"""The same photos through PyTorch, the exported graph and the HTTP service."""

from pathlib import Path
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray

from bench.figures import Figures
from bench.recognition.shops import learnt
from bench.runs import predict_run
from bench.shops import FASHION, GROCERY
from bench.steps import judge
from catalens.background import served
from catalog.manifest import Row
from catalog.tables import read_bytes
from train.run import read_run

_PORT: Final = 8457
_TIE: Final = 1e-5
_JPEG: Final = {"Content-Type": "image/jpeg"}


def measure_equality(figures: Figures, work: Path) -> None:
    """Add `top1_differs_onnx` and `top1_differs_http`: photos whose top-1 is not PyTorch's.

    Over all `val` photos of grocery and fashion; photos whose two likeliest categories are within
    1e-5 are ties and left out.

    Args:
        figures: to add to.
        work: where runs and bundles are kept.
    """
    photos, ties, onnx, http = 0, 0, 0, 0
    for shop in (GROCERY, FASHION):
        bundle, _ = learnt(shop, work)
        run = read_run(work / f"auto_{shop.name}-run")
        rows = shop.rows("val").rows
        expected = predict_run(run, rows)
        best = np.sort(expected, axis=1)
        clear = best[:, -1] - best[:, -2] > _TIE
        classes = np.array(run.document.classes)
        guesses = classes[expected.argmax(axis=1)]
        graph = judge(bundle, shop).probabilities
        onnx += int((classes[graph.argmax(axis=1)] != guesses)[clear].sum())
        http += int((_over_http(bundle.directory, rows) != guesses)[clear].sum())
        photos, ties = photos + len(rows), ties + int((~clear).sum())
    figures.add("equal_photos", photos)
    figures.add("equal_ties", ties)
    figures.add("top1_differs_onnx", onnx)
    figures.add("top1_differs_http", http)


def _over_http(bundle: Path, rows: tuple[Row, ...]) -> NDArray[np.str_]:
    """The first category of each photo."""
    with (
        served(bundle, None, _PORT, "--variant", "fp32") as address,
        httpx.Client(base_url=address, trust_env=False, timeout=30) as client,
    ):
        found = [
            client.post("/v1/classify", content=read_bytes(row.image or ""), headers=_JPEG)
            .raise_for_status()
            .json()
            for row in rows
        ]
    return np.array([one["results"][0]["categories"][0]["path"] for one in found])
