import torch
from torch import nn

from train.averaging import WeightAverage


def layer(value: float) -> nn.Linear:
    made = nn.Linear(1, 1)
    nn.init.constant_(made.weight, value)
    nn.init.constant_(made.bias, -value)
    return made


def test_the_average_nears_the_weights_of_the_last_steps() -> None:
    average = WeightAverage(layer(0.0), decay=0.9, pretrained_share=0.0)
    for _ in range(200):
        average.update(layer(1.0))
    torch.testing.assert_close(average.kept()["weight"], torch.ones(1, 1))


def test_a_single_step_counts_for_much_in_a_young_average() -> None:
    average = WeightAverage(layer(0.0), decay=0.999, pretrained_share=0.0)
    average.update(layer(1.0))
    assert 0.5 < float(average.kept()["weight"]) < 1.0


def test_what_is_kept_lies_between_the_average_and_the_first_weights() -> None:
    average = WeightAverage(layer(0.0), decay=0.0, pretrained_share=0.25)
    average.update(layer(1.0))
    average.steps = 10**6
    average.update(layer(1.0))
    torch.testing.assert_close(average.kept()["weight"], torch.full((1, 1), 0.75))
    torch.testing.assert_close(average.kept()["bias"], torch.full((1,), -0.75))


def test_what_is_kept_does_not_change_with_later_steps() -> None:
    average = WeightAverage(layer(0.0), decay=0.5, pretrained_share=0.2)
    average.update(layer(1.0))
    kept = average.kept()
    before = kept["weight"].clone()
    average.update(layer(5.0))
    torch.testing.assert_close(kept["weight"], before)
