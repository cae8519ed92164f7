"""The tiny bundle's graph and photos, and a finished run on plain colours."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.images import decode
from export.variants import Judge
from inference.bundle import Bundle, read_bundle
from tests.colours import COLOURS, colour_photo

_PHOTOS_PER_CLASS = 6


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return read_bundle(tiny_bundle)


@pytest.fixture(scope="session")
def fp32(bundle: Bundle) -> Path:
    return bundle.graph("fp32")


@pytest.fixture(scope="session")
def photos(bundle: Bundle) -> NDArray[np.uint8]:
    """uint8 [24, 224, 224, 3], the colours in turn."""
    spec = bundle.document.image
    return np.stack(
        [
            decode(colour_photo(path, seed=number), spec)
            for number in range(_PHOTOS_PER_CLASS)
            for path in COLOURS
        ]
    )


@pytest.fixture(scope="session")
def judge(photos: NDArray[np.uint8]) -> Judge:
    """Every photo right, by a margin of 10."""
    target = np.tile(np.arange(len(COLOURS)), _PHOTOS_PER_CLASS)
    logits = 10 * np.eye(len(COLOURS), dtype=np.float32)[target]
    return Judge(photos, logits, target, temperature=1.0)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    """A run with every photo held out once, as a probe leaves it; nothing was trained."""
    import torch

    from train.network import new_network, save_network
    from train.run import HeldOut, RunDocument, write_document, write_predictions

    directory = tmp_path_factory.mktemp("run")
    rows = [(f"{n}-{path[5:]}.jpg", path) for n in range(_PHOTOS_PER_CLASS) for path in COLOURS]
    for seed, (image, path) in enumerate(rows):
        (directory / image).write_bytes(colour_photo(path, seed=seed))
    with (directory / "shop.csv").open("w", newline="") as out:
        csv.writer(out).writerows((("image", "category"), *rows))
    torch.manual_seed(0)
    network = new_network("tf_efficientnet_lite0", classes=len(COLOURS), embedding=8)
    torch.nn.init.normal_(network.head.weight)
    save_network(network, directory / "model.safetensors")
    truth = tuple(path for _, path in rows)
    target = np.array([list(COLOURS).index(path) for path in truth])
    # Sure enough that no variant of an untrained head can turn an answer.
    logits = 1000 * np.eye(len(COLOURS), dtype=np.float32)[target]
    images = tuple(str(directory / image) for image, _ in rows)
    write_predictions(directory, HeldOut(images, truth, logits))
    document = RunDocument(
        recipe="probe",
        config={},
        manifest={"source": str(directory / "shop.csv")},
        data={},
        classes=tuple(COLOURS),
        architecture=network.architecture,
        epochs=(),
        metrics={"top1": 1.0},
        seconds={},
        versions={},
    )
    write_document(directory, document)
    return directory
