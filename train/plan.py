"""What a run set out to do: written first, so that a killed run can go on with `--resume`."""

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catalog.errors import InvalidRun
from catalog.manifest import ManifestConfig
from train.config import TrainConfig
from train.run import DOCUMENT

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """A run before it is finished.

    Attributes:
        name: of the Ray Train run; never used twice, for Ray goes on with a name it knows.
        source: the manifest.
        manifest: how to read it.
        config: how to train.
        reason: why this recipe and backbone, where that was left open.
    """

    name: str
    source: str
    manifest: ManifestConfig
    config: TrainConfig
    reason: str | None = None

    def config_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        values = asdict(self.config)
        weights = self.config.weights
        return {**values, "weights": None if weights is None else str(weights)}


def new_plan(directory: Path, source: str, manifest: ManifestConfig, config: TrainConfig) -> Plan:
    """A plan for a directory that holds nothing yet.

    Raises:
        InvalidRun: the directory holds a run or other files.
    """
    if directory.exists() and any(directory.iterdir()):
        stopped = (directory / PLAN).exists() and not (directory / DOCUMENT).exists()
        raise InvalidRun(
            "holds a run that was stopped." if stopped else "is not empty.",
            where=str(directory),
            fix="Go on with --resume, or name another directory."
            if stopped
            else "Name another directory.",
        )
    return Plan(f"run-{uuid.uuid4().hex[:8]}", source, manifest, config)


def write_plan(directory: Path, plan: Plan) -> None:
    """Write plan.json."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {**asdict(plan), "config": plan.config_json()}
    (directory / PLAN).write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_plan(directory: Path) -> Plan:
    """The plan of a stopped run.

    Raises:
        InvalidRun: there is none.
    """
    try:
        values = json.loads((directory / PLAN).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidRun(
            "no stopped run here.", where=str(directory), fix="Train without --resume."
        ) from error
    weights = values["config"]["weights"]
    config = TrainConfig(
        **{**values["config"], "weights": None if weights is None else Path(weights)}
    )
    return Plan(
        values["name"],
        values["source"],
        ManifestConfig(**values["manifest"]),
        config,
        values["reason"],
    )
