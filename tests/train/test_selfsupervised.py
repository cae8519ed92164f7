import numpy as np
import pytest
import torch

from train.distributed import Ranks
from train.network import Network, new_network
from train.photos import Photos
from train.selfsupervised import adapt_backbone

_SIDE = 64


@pytest.fixture(scope="module")
def photos() -> Photos:
    rng = np.random.default_rng(0)
    lights = rng.integers(0, 256, (24, 1, 1, 3))
    noise = rng.integers(-40, 41, (24, _SIDE, _SIDE, 3))
    pixels = (lights + noise).clip(0, 255).astype(np.uint8)
    return Photos((), pixels, pixels, "test")


def adapted(photos: Photos, epochs: int) -> tuple[Network, list[dict[str, object]]]:
    torch.manual_seed(0)
    network = new_network("tf_efficientnet_lite0", classes=2, embedding=8)
    records = adapt_backbone(
        network,
        photos,
        Ranks(),
        torch.device("cpu"),
        seed=0,
        epochs=epochs,
        seconds=None,
        progress=lambda step: None,
    )
    return network, records


def test_two_views_of_a_photo_come_to_agree(photos: Photos) -> None:
    _, records = adapted(photos, epochs=6)
    losses = [float(str(record["loss"])) for record in records]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.2
    assert losses[-1] >= -1.0


def test_the_backbone_is_adapted_and_neither_head_nor_statistics(photos: Photos) -> None:
    before = new_network("tf_efficientnet_lite0", classes=2, embedding=8).state_dict()
    network, _ = adapted(photos, epochs=1)
    after = network.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert "backbone.conv_head.weight" in changed
    assert not any("running" in key for key in changed)
    assert not any(key.startswith("head.") for key in changed)
    assert network.head.weight.requires_grad
