"""What tests of several packages start from."""

from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on loopback."""
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = server_module.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def new_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a bucket, `s3://...`, that everything in this process can reach."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    boto3 = pytest.importorskip("boto3")
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")

    def made(name: str) -> str:
        client.create_bucket(Bucket=name)
        return f"s3://{name}"

    return made


@pytest.fixture
def s3_bucket(new_bucket: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    return new_bucket(f"shop-{abs(hash(request.node.name))}")
