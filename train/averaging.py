"""The weights that are kept: averaged over the last steps, and drawn back towards the first."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a module's weights and normalisation statistics over its last steps.

    Polyak averaging with the warm-up of TensorFlow's ExponentialMovingAverage: early on the
    window is as short as the steps seen. What is kept lies on the line from the average to the
    weights that training began with (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903): those know
    photos unlike the shop's, and so the shop's next ones.

    Args:
        module: as training begins.
        decay: of the average, per step.
        pretrained_share: of the first weights in what is kept.
    """

    def __init__(self, module: nn.Module, decay: float, pretrained_share: float) -> None:
        self._decay = decay
        self._pretrained_share = pretrained_share
        self._first = {key: value.detach().clone() for key, value in _floats(module).items()}
        self.steps = 0
        self.weights = {key: value.clone() for key, value in self._first.items()}

    def update(self, module: nn.Module) -> None:
        """Take the module's present weights in."""
        self.steps += 1
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
        own = _floats(module)
        with torch.no_grad():
            for key, average in self.weights.items():
                average.lerp_(own[key].detach(), 1 - decay)

    def kept(self) -> dict[str, Tensor]:
        """A copy of the weights to judge and keep."""
        return {
            key: average.lerp(self._first[key], self._pretrained_share)
            for key, average in self.weights.items()
        }


def _floats(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if value.is_floating_point()}
