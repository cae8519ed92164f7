"""What tests of several packages start from."""

from pathlib import Path

import numpy as np
import pytest

from tests.colours import COLOURS, colour_photo

_PHOTOS_PER_CLASS = 4
_SHARPNESS = 0.05


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real Lite0 bundle that tells the four `COLOURS` apart; do not change it.

    Its head compares the features with each colour's mean, so nothing is trained.
    """
    import torch

    from catalog.examples import Examples, write_examples
    from catalog.images import decode, jpeg
    from export.graph import ServedNetwork, write_graph
    from inference.bundle import write_bundle
    from train.embedding import embed
    from train.network import new_network

    torch.manual_seed(0)
    classes = tuple(COLOURS)
    network = new_network("tf_efficientnet_lite0", classes=len(classes), embedding=32).eval()
    spec = network.architecture.image
    photos = [
        decode(colour_photo(path, seed=1000 + number), spec)
        for path in classes
        for number in range(_PHOTOS_PER_CLASS)
    ]
    with torch.no_grad():
        features = network.features(torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2))
        means = features.view(len(classes), _PHOTOS_PER_CLASS, -1).mean(dim=1)
        # The nearest mean has the largest logit: |f - m|^2 without the part all classes share.
        network.head.weight.copy_(means * _SHARPNESS)
        network.head.bias.copy_(-(means**2).sum(dim=1) * _SHARPNESS / 2)
    directory = tmp_path_factory.mktemp("tiny")
    write_graph(ServedNetwork(network, temperature=1.0), directory / "model.onnx")
    fields = {
        "classes": classes,
        "image": spec,
        "temperature": 1.0,
        "thresholds": {"certainty": 0.8, "unknown": 0.3},
        "embedding_id": "7117" * 4,
        "embedding_dimension": 32,
        "provenance": {"recipe": "test"},
    }
    graphs = {"fp32": (directory / "model.onnx", {"accuracy": 1.0, "agreement": 1.0})}
    examples = Examples(
        tuple(f"{path}-{number}.jpg" for path in classes for number in range(_PHOTOS_PER_CLASS)),
        tuple(path for path in classes for _ in range(_PHOTOS_PER_CLASS)),
        embed(network, features),
        tuple(jpeg(photo, 64) for photo in photos),
    )
    write_examples(directory / "examples.parquet", examples)
    write_bundle(
        directory / "bundle", fields, graphs, files={"examples": directory / "examples.parquet"}
    )
    return directory / "bundle"
