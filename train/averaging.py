"""Exponential moving average of the weights."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a module's weights and normalisation statistics over its last steps.

    Polyak averaging with the warm-up of TensorFlow's ExponentialMovingAverage: early on the
    window is as short as the steps seen.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self.steps = 0
        self.weights = {key: value.detach().clone() for key, value in _floats(module).items()}

    def update(self, module: nn.Module) -> None:
        """Take the module's present weights in."""
        self.steps += 1
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
        own = _floats(module)
        with torch.no_grad():
            for key, average in self.weights.items():
                average.lerp_(own[key].detach(), 1 - decay)

    def copy_to(self, module: nn.Module) -> None:
        """Make the average the module's weights."""
        module.load_state_dict(self.weights, strict=False)


def _floats(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if value.is_floating_point()}
