"""What `auto` stands for: the recipe and the backbone, by how many photos there are and how long.

The step times were measured on 2 cores with bfloat16, and how this machine compares is measured
where it matters; a training measures its own from its first epoch on, so a wrong guess here costs
epochs, not the budget.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from train.backbones import SMALLEST
from train.budget import parse_budget
from train.config import Recipe, TrainConfig
from train.speed import STEP_MS

_DEFAULT_BUDGET: Final = "30m"
# The rest is decode, features and the report.
_FOR_EPOCHS: Final = 0.85
# No machine is so much slower than the one with these step times that it need be measured where
# this share of the budget is enough for everything.
_SLOWEST: Final = 0.1


@dataclass(frozen=True)
class Candidate:
    """A backbone that may be fine-tuned.

    Attributes:
        backbone: its name.
        size: side of its photos, px.
        step_ms: milliseconds per photo and epoch.
        worth_it: with fewer epochs a smaller backbone, or the probe, gives more.
    """

    backbone: str
    size: int | None
    step_ms: float
    worth_it: int

    def epochs(self, photos: int, seconds: float) -> int:
        """That fit into so many seconds."""
        return int(_FOR_EPOCHS * seconds / (photos * self.step_ms / 1000))


# The largest first.
_CANDIDATES: Final = (
    Candidate("tf_efficientnet_lite2", 240, 23.0, 10),
    Candidate(SMALLEST, None, STEP_MS, 3),
)


@dataclass(frozen=True)
class Choice:
    """Settings with nothing left to choose.

    Attributes:
        config: neither its recipe nor its backbone is `auto`.
        reason: why these, for a person; None where nothing was left open.
    """

    config: TrainConfig
    reason: str | None


def choose(config: TrainConfig, photos: int, speed: Callable[[], float]) -> Choice:
    """Decide what is left open in the settings.

    The largest backbone of which enough epochs fit into the budget is fine-tuned; where not even
    the smallest is worth it, the probe is left.

    Args:
        config: as the user gave it.
        photos: to train on.
        speed: training steps of this machine in the time of one on that of the step times; asked
            only where it matters.

    Raises:
        InvalidRequest: the budget is no time span.
    """
    if config.recipe != "auto" and config.backbone != "auto":
        return Choice(config, None)
    if config.recipe == "probe":
        return Choice(replace(config, backbone=SMALLEST), None)
    budget = config.budget or _DEFAULT_BUDGET
    candidates = _candidates(config.backbone)
    seconds = _SLOWEST * parse_budget(budget)
    if candidates[0].epochs(photos, seconds) < config.epochs:
        seconds = speed() * parse_budget(budget)
    for candidate in candidates:
        epochs = candidate.epochs(photos, seconds)
        told = (
            f"{min(epochs, config.epochs)} epochs of {candidate.backbone} over {photos:,} photos "
            f"fit into {budget}"
        )
        if epochs >= candidate.worth_it:
            return Choice(
                _settled(config, "finetune", candidate, budget), f"finetune: about {told}"
            )
    if config.recipe != "auto":
        chosen = _settled(config, config.recipe, candidate, budget)
        return Choice(chosen, f"the smallest backbone: only {told}")
    return Choice(_settled(config, "probe", candidate, budget), f"probe: only {told}")


def _candidates(backbone: str) -> tuple[Candidate, ...]:
    if backbone == "auto":
        return _CANDIDATES
    known = (one for one in _CANDIDATES if one.backbone == backbone)
    return (next(known, Candidate(backbone, None, 30.0, 3)),)


def _settled(config: TrainConfig, recipe: Recipe, chosen: Candidate, budget: str) -> TrainConfig:
    """A fine-tuning that was asked for without a budget keeps none."""
    return replace(
        config,
        recipe=recipe,
        backbone=chosen.backbone,
        size=config.size or (None if recipe == "probe" else chosen.size),
        budget=budget if config.recipe == "auto" else config.budget,
    )
