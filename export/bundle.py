"""A finished run becomes a bundle: graphs, parity, calibration, facts."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from catalog.calibration import calibrate
from catalog.images import DECODE_REVISION
from catalog.tree import CategoryTree
from export.fp16 import write_fp16
from export.graph import ServedNetwork, write_graph
from export.int8 import write_int8
from export.parity import check_parity
from export.photos import ExportPhotos, export_photos
from export.variants import Judge, Make, make_variants
from inference.bundle import Bundle, write_bundle
from train.network import Network, load_network
from train.run import HeldOut, Run, read_run


@dataclass(frozen=True)
class Exported:
    """What `export_run` made.

    Attributes:
        bundle: the new bundle.
        parity: largest difference of fp32 to PyTorch per batch size.
        refused: why a variant was not kept, by name.
    """

    bundle: Bundle
    parity: dict[int, float]
    refused: dict[str, str]


def export_run(
    run_directory: Path | str,
    bundle_directory: Path | str,
    *,
    mirror: bool = False,
    tell: Callable[[str], None] = lambda step: None,
) -> Exported:
    """Export a finished run, with the variants that hold their budgets.

    Args:
        run_directory: of the run.
        bundle_directory: a new directory.
        mirror: average each photo's features with those of its mirror image.
        tell: called with the name of each step after the reading, as it begins.

    Raises:
        InvalidRun: not a finished run, or none of its photos can be read any more.
        InvalidBundle: the target exists, or the graph differs from PyTorch.
    """
    run = read_run(run_directory)
    held_out = run.held_out()
    tree = CategoryTree(run.document.classes)
    calibration = calibrate(tree, held_out.logits, held_out.truth, held_out.familiarity)
    network = load_network(run.document.architecture, run.weights)
    served = ServedNetwork(network, calibration.temperature, mirror=mirror)
    spec = network.architecture.image
    photos = export_photos(run, held_out, spec)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "fp32.onnx"
        tell("Tracing the network")
        write_graph(served, graph)
        tell("Comparing the graph with PyTorch")
        parity = check_parity(served, graph, photos.judged)
        makers: dict[str, Make] = {
            "int8": lambda path: write_int8(graph, path, spec, photos.calibration),
            "fp16": lambda path: write_fp16(graph, path),
        }
        judge = _judge(tree, held_out, photos, calibration.temperature)
        tell(f"Making {' and '.join(makers)}, measuring them and fp32")
        graphs, refused = make_variants(graph, makers, judge)
        fields = {
            "classes": run.document.classes,
            "image": spec,
            "temperature": calibration.temperature,
            "thresholds": {
                "certainty": calibration.certainty,
                "unknown": calibration.unknown,
                "unfamiliar": calibration.unfamiliar,
            },
            "embedding_id": embedding_id(network, mirror=mirror),
            "embedding_dimension": network.architecture.embedding,
            "categorise": run.document.categorise or None,
            "provenance": {**_provenance(run, parity), "mirror": mirror},
        }
        prototypes = network.prototypes.numpy() if len(network.prototypes) else None
        bundle = write_bundle(Path(bundle_directory), fields, graphs, prototypes, run.files())
    return Exported(bundle, parity, refused)


def embedding_id(network: Network, *, mirror: bool = False) -> str:
    """Hash of all that decides the embedding: decode, geometry, backbone, projection, mirror."""
    digest = hashlib.sha256(f"decode {DECODE_REVISION} {network.architecture.image}".encode())
    if mirror:
        digest.update(b"mirror")
    for key, value in sorted(network.state_dict().items()):
        if not key.startswith("head.") and key != "prototypes":
            digest.update(key.encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _judge(
    tree: CategoryTree, held_out: HeldOut, photos: ExportPhotos, temperature: float
) -> Judge:
    index = {path: number for number, path in enumerate(tree.classes)}
    target = np.array([index[held_out.truth[row]] for row in photos.rows], dtype=np.intp)
    return Judge(photos.judged, held_out.logits[photos.rows], target, temperature)


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
