"""A finished run becomes a bundle: graph, parity, calibration, facts."""

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from catalog.errors import CatalensError, InvalidRun
from catalog.images import DECODE_REVISION, ImageSpec, decode
from catalog.match import DEFAULT_MATCH_MODEL
from catalog.tables import read_bytes
from catalog.tree import CategoryTree
from export.calibration import calibrate
from export.graph import ServedNetwork, write_graph
from export.parity import BATCH_SIZES, check_parity
from inference.bundle import Bundle, write_bundle
from train.network import Network, load_network
from train.run import HeldOut, Run, read_run

_SPEED_BATCH = 16
_SPEED_SECONDS = 2.0


@dataclass(frozen=True)
class Exported:
    """What `export_run` made.

    Attributes:
        bundle: the new bundle.
        parity: largest difference to PyTorch per batch size.
    """

    bundle: Bundle
    parity: dict[int, float]


def export_run(run_directory: Path | str, bundle_directory: Path | str) -> Exported:
    """Export a finished run.

    Raises:
        InvalidRun: not a finished run, or none of its photos can be read any more.
        InvalidBundle: the target exists, or the graph differs from PyTorch.
    """
    run = read_run(run_directory)
    held_out = run.held_out()
    tree = CategoryTree(run.document.classes)
    calibration = calibrate(tree, held_out.logits, held_out.truth)
    network = load_network(run.document.architecture, run.weights)
    served = ServedNetwork(network, calibration.temperature)
    photos = _photos(run, held_out, network.architecture.image)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "model.onnx"
        write_graph(served, graph)
        parity = check_parity(served, graph, photos)
        fields = {
            "classes": run.document.classes,
            "image": network.architecture.image,
            "temperature": calibration.temperature,
            "thresholds": {"certainty": calibration.certainty, "unknown": calibration.unknown},
            "embedding_id": embedding_id(network),
            "embedding_dimension": network.architecture.embedding,
            "match": DEFAULT_MATCH_MODEL.to_json(),
            "provenance": _provenance(run, parity),
        }
        facts = {
            "accuracy": run.document.metrics["top1"],
            "agreement": 1.0,
            "images_per_second": _speed(graph, photos),
        }
        bundle = write_bundle(Path(bundle_directory), fields, {"fp32": (graph, facts)})
    return Exported(bundle, parity)


def embedding_id(network: Network) -> str:
    """Hash of all that decides the embedding: decode, geometry, backbone, projection."""
    digest = hashlib.sha256(f"decode {DECODE_REVISION} {network.architecture.image}".encode())
    for key, value in sorted(network.state_dict().items()):
        if not key.startswith("head."):
            digest.update(key.encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _photos(run: Run, held_out: HeldOut, spec: ImageSpec) -> NDArray[np.uint8]:
    """As many held-out photos as the largest parity batch, spread over the run's list."""
    step = max(1, len(held_out.images) // max(BATCH_SIZES))
    decoded = []
    for image in held_out.images[::step]:
        try:
            decoded.append(decode(read_bytes(image), spec, where=image))
        except CatalensError:
            continue  # it was readable when it was trained on; others will do
        if len(decoded) == max(BATCH_SIZES):
            break
    if not decoded:
        raise InvalidRun(
            "none of its photos can be read any more, so the graph cannot be checked.",
            where=str(run.directory),
            fix=f"Put the photos back, for example {held_out.images[0]}.",
        )
    return np.stack(decoded)


def _speed(graph: Path, photos: NDArray[np.uint8]) -> float:
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    batch = np.resize(photos, (_SPEED_BATCH, *photos.shape[1:]))
    session.run(None, {"images": batch})
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < _SPEED_SECONDS:
        session.run(None, {"images": batch})
        done += _SPEED_BATCH
    return round(done / (time.perf_counter() - started), 1)


def _provenance(run: Run, parity: dict[int, float]) -> dict[str, object]:
    document = run.document
    return {
        "recipe": document.recipe,
        "backbone": document.architecture.backbone,
        "data": document.data,
        "held_out_metrics": document.metrics,
        "parity": {str(size): difference for size, difference in parity.items()},
        "versions": {**document.versions, "export_torch": torch.__version__},
        "config": json.loads(json.dumps(document.config)),
    }
