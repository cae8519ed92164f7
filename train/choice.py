"""What `auto` stands for: the recipe and the backbone, by how many photos there are and how long.

The step times were measured on 2 cores with bfloat16; a training measures its own from its first
epoch on, so a wrong guess here costs epochs, not the budget.
"""

from dataclasses import dataclass, replace
from typing import Final

from train.backbones import SMALLEST
from train.budget import parse_budget
from train.config import Recipe, TrainConfig
from train.machine import Machine

_DEFAULT_BUDGET: Final = "30m"
# Milliseconds per photo and epoch.
_STEP_MS: Final = {"tf_efficientnet_lite2": 23.0, SMALLEST: 13.0}
_OTHER_STEP_MS: Final = 30.0
# With fewer epochs a smaller backbone, or the probe, gives more.
_EPOCHS_WORTH_IT: Final = {"tf_efficientnet_lite2": 10, SMALLEST: 3}
# The rest is decode, features and the report.
_FOR_EPOCHS: Final = 0.85


@dataclass(frozen=True)
class Choice:
    """Settings with nothing left to choose.

    Attributes:
        config: neither its recipe nor its backbone is `auto`.
        reason: why these, for a person; None where nothing was left open.
    """

    config: TrainConfig
    reason: str | None


def choose(config: TrainConfig, photos: int, machine: Machine) -> Choice:
    """Decide what is `auto` in the settings.

    The largest backbone of which enough epochs fit into the budget is fine-tuned; where not even
    the smallest is worth it, the probe is left.

    Args:
        config: as the user gave it.
        photos: to train on.
        machine: that trains.

    Raises:
        InvalidRequest: the budget is no time span.
    """
    if config.recipe != "auto" and config.backbone != "auto":
        return Choice(config, None)
    if config.recipe == "probe":
        return Choice(replace(config, backbone=SMALLEST), None)
    budget = config.budget or _DEFAULT_BUDGET
    fits = {
        name: int(_FOR_EPOCHS * parse_budget(budget) * machine.speed / (photos * step_ms / 1000))
        for name, step_ms in _step_times(config.backbone).items()
    }
    for name, epochs in fits.items():
        if epochs >= _EPOCHS_WORTH_IT.get(name, _EPOCHS_WORTH_IT[SMALLEST]):
            reason = f"about {epochs} epochs of {name} over {photos:,} photos fit into {budget}"
            return Choice(_settled(config, "finetune", name, budget), f"finetune: {reason}")
    name, epochs = list(fits.items())[-1]
    reason = f"only {epochs} epochs of {name} over {photos:,} photos fit into {budget}"
    if config.recipe == "finetune":
        return Choice(
            _settled(config, "finetune", name, budget), f"the smallest backbone: {reason}"
        )
    return Choice(_settled(config, "probe", name, budget), f"probe: {reason}")


def _step_times(backbone: str) -> dict[str, float]:
    if backbone == "auto":
        return _STEP_MS
    return {backbone: _STEP_MS.get(backbone, _OTHER_STEP_MS)}


def _settled(config: TrainConfig, recipe: Recipe, backbone: str, budget: str) -> TrainConfig:
    """A fine-tuning that was asked for without a budget keeps none."""
    within = budget if config.recipe == "auto" else config.budget
    return replace(config, recipe=recipe, backbone=backbone, budget=within)
