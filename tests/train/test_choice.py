import pytest

from catalog.errors import InvalidRequest
from train.choice import choose
from train.config import TrainConfig
from train.machine import Machine

_TWO_CORES = Machine(cores=2, bfloat16=True)
_GPU = Machine(cores=16, bfloat16=True, gpus=1)


def chosen(
    photos: int, budget: str | None, machine: Machine = _TWO_CORES, **settings: str
) -> tuple[str, str]:
    config = TrainConfig(budget=budget, **settings)  # type: ignore[arg-type]
    found = choose(config, photos, machine).config
    return found.recipe, found.backbone


def test_the_largest_backbone_is_taken_that_enough_epochs_fit_of() -> None:
    assert chosen(2_600, "60m") == ("finetune", "tf_efficientnet_lite2")
    assert chosen(12_000, "30m") == ("finetune", "tf_efficientnet_lite0")
    assert chosen(12_000, "30m", _GPU) == ("finetune", "tf_efficientnet_lite2")


def test_the_probe_is_left_where_hardly_an_epoch_fits() -> None:
    assert chosen(200_000, "10m") == ("probe", "tf_efficientnet_lite0")
    assert chosen(200_000, "10m", _GPU) == ("finetune", "tf_efficientnet_lite2")


def test_a_machine_without_bfloat16_gets_less() -> None:
    old = Machine(cores=2, bfloat16=False)
    assert chosen(5_000, "30m") == ("finetune", "tf_efficientnet_lite2")
    assert chosen(5_000, "30m", old) == ("finetune", "tf_efficientnet_lite0")


def test_what_was_asked_for_stays() -> None:
    asked = TrainConfig(recipe="finetune", backbone="resnet18")
    assert choose(asked, 10**6, _TWO_CORES).config == asked
    assert chosen(100, "60m", recipe="probe") == ("probe", "tf_efficientnet_lite0")
    assert chosen(10**6, "1m", recipe="finetune") == ("finetune", "tf_efficientnet_lite0")
    assert chosen(10**6, "1m", backbone="resnet18") == ("probe", "resnet18")


def test_auto_ends_within_a_budget_also_where_none_is_given() -> None:
    assert choose(TrainConfig(), 1_000, _TWO_CORES).config.budget == "30m"
    asked = choose(TrainConfig(recipe="finetune"), 1_000, _TWO_CORES).config
    assert asked.budget is None


def test_a_size_that_was_asked_for_stays() -> None:
    assert choose(TrainConfig(budget="60m"), 2_600, _TWO_CORES).config.size == 240
    assert choose(TrainConfig(budget="60m", size=288), 2_600, _TWO_CORES).config.size == 288
    assert choose(TrainConfig(budget="1m"), 10**6, _TWO_CORES).config.size is None


def test_the_reason_names_photos_epochs_and_budget() -> None:
    reason = choose(TrainConfig(budget="1h"), 2_640, _TWO_CORES).reason
    assert reason is not None
    assert "2,640 photos" in reason
    assert "1h" in reason
    assert "epochs of tf_efficientnet_lite2" in reason


def test_a_budget_that_is_no_time_span_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="time span"):
        choose(TrainConfig(budget="soon"), 100, _TWO_CORES)
