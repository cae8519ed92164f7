import pytest

from catalog.errors import InvalidRequest
from train.choice import choose
from train.config import TrainConfig

_GPU = 100.0


def two_cores() -> float:
    return 1.0


def chosen(photos: int, budget: str | None, speed: float = 1.0, **settings: str) -> tuple[str, str]:
    config = TrainConfig(budget=budget, **settings)  # type: ignore[arg-type]
    found = choose(config, photos, lambda: speed).config
    return found.recipe, found.backbone


def test_the_largest_backbone_is_taken_that_enough_epochs_fit_of() -> None:
    assert chosen(2_600, "60m") == ("finetune", "tf_efficientnet_lite2")
    assert chosen(12_000, "30m") == ("finetune", "tf_efficientnet_lite0")
    assert chosen(12_000, "30m", _GPU) == ("finetune", "tf_efficientnet_lite2")


def test_the_probe_is_left_where_hardly_an_epoch_fits() -> None:
    assert chosen(200_000, "10m") == ("probe", "tf_efficientnet_lite0")
    assert chosen(200_000, "10m", _GPU) == ("finetune", "tf_efficientnet_lite2")


def test_a_slow_machine_gets_less() -> None:
    assert chosen(5_000, "30m") == ("finetune", "tf_efficientnet_lite2")
    assert chosen(5_000, "30m", 0.45) == ("finetune", "tf_efficientnet_lite0")


def test_the_machine_is_measured_only_where_it_matters() -> None:
    def speed() -> float:
        raise AssertionError

    assert choose(TrainConfig(budget="60m"), 364, speed).config.backbone == "tf_efficientnet_lite2"
    with pytest.raises(AssertionError):
        choose(TrainConfig(budget="60m"), 5_000, speed)


def test_what_was_asked_for_stays() -> None:
    asked = TrainConfig(recipe="finetune", backbone="resnet18", colour=0.1)
    assert choose(asked, 10**6, two_cores).config == asked
    assert chosen(100, "60m", recipe="probe") == ("probe", "tf_efficientnet_lite0")
    assert chosen(10**6, "1m", recipe="finetune") == ("finetune", "tf_efficientnet_lite0")
    assert chosen(10**6, "1m", backbone="resnet18") == ("probe", "resnet18")


def test_auto_ends_within_a_budget_also_where_none_is_given() -> None:
    assert choose(TrainConfig(), 1_000, two_cores).config.budget == "30m"
    asked = choose(TrainConfig(recipe="finetune"), 1_000, two_cores).config
    assert asked.budget is None


def test_a_size_that_was_asked_for_stays() -> None:
    assert choose(TrainConfig(budget="60m"), 2_600, two_cores).config.size == 240
    assert choose(TrainConfig(budget="60m", size=288), 2_600, two_cores).config.size == 288
    assert choose(TrainConfig(budget="1m"), 10**6, two_cores).config.size is None


def test_the_reason_names_photos_epochs_and_budget() -> None:
    reason = choose(TrainConfig(budget="1h"), 2_640, two_cores).reason
    assert reason is not None
    assert "2,640 photos" in reason
    assert "1h" in reason
    assert "epochs of tf_efficientnet_lite2" in reason


def test_a_budget_that_is_no_time_span_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="time span"):
        choose(TrainConfig(budget="soon"), 100, two_cores)
