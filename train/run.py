"""A run on disk: run.json, weights, predictions, examples, report.html and what else is there."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalog.errors import InvalidRun
from train.data_issues import DataIssue, read_issues
from train.network import Architecture

DOCUMENT = "run.json"
WEIGHTS = "model.safetensors"
PREDICTIONS = "predictions.parquet"
EXAMPLES = "examples.parquet"
TAGS = "tags.npz"
NAME_CATEGORIES = "name_categories.npz"
DATA_ISSUES = "data_issues.csv"
REPORT = "report.html"
BAD_ROWS = "bad_rows.csv"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunDocument:
    """run.json: what was trained, on what, how it went.

    Attributes:
        recipe: probe or finetune, after ``auto`` was resolved.
        config: every setting of the training.
        manifest: source and column names of the manifest it used.
        data: fingerprint and counts of the photos.
        classes: category paths in the order of the head's outputs.
        architecture: how to build the network.
        epochs: one record per epoch: phase, rate, losses, metrics, seconds, photos per rank.
        metrics: out-of-sample figures, as `catalog.metrics.classification_report` gives them.
        seconds: wall time per step.
        versions: of the libraries that decide the result.
        notes: what a person should know, such as classes with a single photo.
        restarts: the epoch that training went on from, each time workers were started again.
        categorise: what photo, look-alikes and name weigh, as `CategoriseWeights.to_json` gives it;
            empty in runs made before it was learnt.
        tags: how good the tag model is, as `train.tags.LearntTags.to_json` gives it; empty without.
    """

    recipe: str
    config: dict[str, Any]
    manifest: dict[str, Any]
    data: dict[str, Any]
    classes: tuple[str, ...]
    architecture: Architecture
    epochs: tuple[dict[str, Any], ...]
    metrics: dict[str, Any]
    seconds: dict[str, float]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    restarts: tuple[int, ...] = ()
    tags: dict[str, Any] = field(default_factory=dict)
    categorise: dict[str, Any] = field(default_factory=dict)
    schema_version: int = field(default=SCHEMA_VERSION)


@dataclass(frozen=True)
class HeldOut:
    """Out-of-sample predictions: each photo judged by a model that did not see its product.

    Attributes:
        images: paths or URIs.
        truth: category paths.
        logits: float32 [N, classes].
        familiarity: float32 [N], cosine to the nearest prototype of photos trained on; None in
            runs made before there were any.
        nearest: beside the surest mistakes, up to three photos of other products that the model
            finds most alike; empty for the rest, and in runs made before there were any.
    """

    images: tuple[str, ...]
    truth: tuple[str, ...]
    logits: NDArray[np.float32]
    familiarity: NDArray[np.float32] | None = None
    nearest: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Run:
    """A finished run."""

    directory: Path
    document: RunDocument

    @property
    def weights(self) -> Path:
        """The network's weights."""
        return self.directory / WEIGHTS

    @property
    def minutes(self) -> float:
        """What the training took."""
        return sum(self.document.seconds.values()) / 60

    def files(self) -> dict[str, Path]:
        """What goes into the bundle as it is, by its name there; those that there are."""
        files = {
            "examples": EXAMPLES,
            "tags": TAGS,
            "name_categories": NAME_CATEGORIES,
            "report": REPORT,
        }
        found = {key: self.directory / file for key, file in files.items()}
        return {key: file for key, file in found.items() if file.exists()}

    def data_issues(self) -> list[DataIssue]:
        """Read data_issues.csv; none in runs made before there was one."""
        file = self.directory / DATA_ISSUES
        return read_issues(file) if file.exists() else []

    def held_out(self) -> HeldOut:
        """Read predictions.parquet."""
        return read_predictions(self.directory)


def read_predictions(directory: Path) -> HeldOut:
    """The inverse of `write_predictions`."""
    table = pq.read_table(directory / PREDICTIONS)
    logits = np.stack(table["logits"].to_numpy()).astype(np.float32)
    familiarity = None
    if "familiarity" in table.column_names:
        familiarity = table["familiarity"].to_numpy().astype(np.float32)
    nearest: tuple[tuple[str, ...], ...] = ()
    if "nearest" in table.column_names:
        nearest = tuple(map(tuple, table["nearest"].to_pylist()))
    return HeldOut(
        tuple(table["image"].to_pylist()),
        tuple(table["category"].to_pylist()),
        logits,
        familiarity,
        nearest,
    )


def read_run(directory: Path | str) -> Run:
    """Read a finished run.

    Raises:
        InvalidRun: no run there, an unfinished one, or of another schema.
    """
    directory = Path(directory)
    try:
        values = json.loads((directory / DOCUMENT).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidRun(
            f"no {DOCUMENT} here: no run, or one that did not finish.",
            where=str(directory),
            fix="`catalens train MANIFEST --run DIR --resume` finishes it.",
        ) from error
    except ValueError as error:
        raise InvalidRun(f"cannot be read ({error}).", where=str(directory / DOCUMENT)) from error
    if values.get("schema_version") != SCHEMA_VERSION:
        raise InvalidRun(
            f"schema version {values.get('schema_version')}, this program reads {SCHEMA_VERSION}.",
            where=str(directory / DOCUMENT),
            fix="Train again.",
        )
    values["architecture"] = Architecture.from_json(values["architecture"])
    for key in ("classes", "epochs", "notes", "restarts"):
        values[key] = tuple(values[key])
    return Run(directory, RunDocument(**values))


def write_predictions(directory: Path, held_out: HeldOut) -> None:
    """Write predictions.parquet: image, category, predicted class, logits, familiarity, nearest."""
    columns = {
        "image": list(held_out.images),
        "category": list(held_out.truth),
        "predicted": held_out.logits.argmax(axis=1),
        "logits": list(held_out.logits.astype(np.float32)),
    }
    if held_out.familiarity is not None:
        columns["familiarity"] = held_out.familiarity.astype(np.float32)
    if held_out.nearest:
        columns["nearest"] = [list(images) for images in held_out.nearest]
    table = pa.table(columns)
    pq.write_table(table, directory / PREDICTIONS)


def write_document(directory: Path, document: RunDocument) -> None:
    """Write run.json; its presence says that the run is finished."""
    text = json.dumps(asdict(document), indent=1)
    unfinished = directory / f".{DOCUMENT}"
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.rename(directory / DOCUMENT)
