import numpy as np
import pytest
import torch
from torch import Tensor

from train.config import TrainConfig
from train.distributed import Ranks
from train.finetune import FineTuning, Learning, Task
from train.network import new_network
from train.photos import Photos

_SIDE = 64
_PER_CLASS = 6
_LIGHTS = (40, 120, 215)


@pytest.fixture(scope="module")
def task() -> Task:
    """Grey squares of three lights, noise on them; the last of each class is set aside."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(_LIGHTS)), _PER_CLASS)
    lights = np.array(_LIGHTS)[targets][:, None, None, None]
    pixels = lights + rng.integers(-30, 31, (len(targets), _SIDE, _SIDE, 3))
    photos = pixels.clip(0, 255).astype(np.uint8)
    aside = np.arange(len(targets)) % _PER_CLASS == _PER_CLASS - 1
    return Task(
        Photos((), photos, photos, "test"),
        torch.from_numpy(targets),
        np.flatnonzero(~aside),
        np.flatnonzero(aside),
        torch.ones(len(_LIGHTS)),
    )


def tuned(task: Task, **settings: object) -> tuple[dict[str, Tensor], Learning]:
    """The weights before, and everything after."""
    torch.manual_seed(0)
    network = new_network("tf_efficientnet_lite0", classes=len(_LIGHTS), embedding=8)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    config = TrainConfig(recipe="finetune", batch_size=5, **settings)  # type: ignore[arg-type]
    learning = Learning.start(network, config)
    FineTuning(task, config, Ranks(), torch.device("cpu")).run(learning)
    return before, learning


def changed(before: dict[str, Tensor], learning: Learning) -> set[str]:
    after = learning.network.state_dict()
    return {key for key, value in before.items() if not torch.equal(value, after[key])}


def test_weights_are_learnt_but_batch_norm_statistics_stay_as_pretrained(task: Task) -> None:
    before, learning = tuned(task, epochs=1)
    assert "backbone.blocks.2.0.conv_pw.weight" in changed(before, learning)
    assert "backbone.conv_head.weight" in changed(before, learning)
    statistics = {key for key in before if "running" in key}
    assert statistics
    assert not statistics & changed(before, learning)


def test_the_first_layers_stay_as_pretrained(task: Task) -> None:
    before, learning = tuned(task, epochs=1)
    stages = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")
    first = {key for key in before if key.removeprefix("backbone.").startswith(stages)}
    assert first
    assert not first & changed(before, learning)


def held_out_top1(monkeypatch: pytest.MonkeyPatch, *shares: float) -> None:
    """Let the epochs have these shares of the held-out photos right."""
    left = iter(shares)
    monkeypatch.setattr(
        FineTuning,
        "_judge",
        lambda self, learning: {"held_out_loss": 1.0, "held_out_top1": next(left)},
    )


def test_of_epochs_within_a_standard_error_of_the_best_the_last_is_kept(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The error of 0.9 on the three held-out photos is 0.17.
    held_out_top1(monkeypatch, 0.2, 0.9, 0.6, 0.8, 0.7)
    _, learning = tuned(task, epochs=5)
    assert learning.best_epoch == 4
    assert learning.best_top1 == 0.9


def test_training_stops_when_the_held_out_photos_get_no_better(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out_top1(monkeypatch, 0.2, 0.9, 0.7, 0.6, 0.5, 0.4)
    _, learning = tuned(task, epochs=6, patience=2)
    assert learning.epoch == 4
    assert learning.best_epoch == 2


def test_the_rate_warms_up_and_falls_to_nearly_nothing(task: Task) -> None:
    _, learning = tuned(task, epochs=5)
    rates = [record["rate"] for record in learning.records]
    assert max(rates) == max(rates[1:3])
    assert rates[-1] < 0.1 * max(rates)
