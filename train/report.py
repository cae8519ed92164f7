"""report.html: how a run went, as one page that needs nothing else."""

import base64
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from jinja2 import Environment
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import softmax

from catalog.errors import CatalensError
from catalog.images import jpeg_copy
from catalog.metrics import f1_scores
from catalog.tables import read_bytes
from train.run import REPORT, HeldOut, Run

_MISTAKES = 24
_PHOTO_SIDE = 200
_LABELLED_CLASSES = 40


@dataclass(frozen=True)
class Mistake:
    """A held-out photo that was judged wrong with confidence."""

    photo: str
    image: str
    truth: str
    guess: str
    probability: float


def write_report(run: Run) -> None:
    """Write report.html into the run."""
    held_out = run.held_out()
    classes = np.array(run.document.classes)
    probabilities = softmax(held_out.logits, axis=1)
    guesses = classes[probabilities.argmax(axis=1)]
    template = files("train").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            document=run.document,
            curves=_learning_curves(run.document.epochs),
            confusion=_confusion(classes, np.array(held_out.truth), guesses),
            classes=_class_table(held_out, guesses),
            pairs=_confused_pairs(held_out, guesses),
            mistakes=_worst_mistakes(held_out, probabilities, classes),
        )
    )
    (run.directory / REPORT).write_text(page, encoding="utf-8")


def _learning_curves(epochs: tuple[dict[str, Any], ...]) -> str:
    rows = [record for record in epochs if record["phase"] == "finetune"]
    if not rows:
        return ""
    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    number = [record["epoch"] for record in rows]
    left.plot(number, [record["train_loss"] for record in rows], label="training (augmented)")
    left.plot(number, [record["held_out_loss"] for record in rows], label="held out")
    left.set(title="loss", xlabel="epoch")
    left.legend()
    right.plot(number, [record["held_out_top1"] for record in rows], color="tab:green")
    right.set(title="held-out top-1", xlabel="epoch")
    return _svg(figure)


def _confusion(classes: NDArray[Any], truth: NDArray[Any], guesses: NDArray[Any]) -> str:
    index = {path: number for number, path in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for actual, guess in zip(truth, guesses, strict=True):
        counts[index[actual], index[guess]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(10.0, 2.5 + 0.22 * len(classes))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true")
    if len(classes) <= _LABELLED_CLASSES:
        names = [path.rpartition("/")[2] for path in classes]
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
    return _svg(figure)


def _class_table(held_out: HeldOut, guesses: NDArray[Any]) -> list[dict[str, Any]]:
    truth = np.array(held_out.truth)
    rows = []
    for path, (score, support) in f1_scores(held_out.truth, list(guesses)).items():
        right = int(((truth == path) & (guesses == path)).sum())
        claimed = int((guesses == path).sum())
        precision = right / claimed if claimed else None
        rows.append(
            {
                "path": path,
                "photos": support,
                "precision": precision,
                "recall": right / support,
                "f1": score,
            }
        )
    return sorted(rows, key=lambda row: row["f1"])


def _confused_pairs(held_out: HeldOut, guesses: NDArray[Any]) -> list[tuple[str, str, int]]:
    wrong = [
        (actual, str(guess))
        for actual, guess in zip(held_out.truth, guesses, strict=True)
        if actual != guess
    ]
    pairs, counts = np.unique(np.array(wrong).reshape(-1, 2), axis=0, return_counts=True)
    order = np.argsort(-counts)[:15]
    return [(str(pairs[i][0]), str(pairs[i][1]), int(counts[i])) for i in order]


def _worst_mistakes(
    held_out: HeldOut, probabilities: NDArray[np.float32], classes: NDArray[Any]
) -> list[Mistake]:
    guesses = classes[probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(guesses != np.array(held_out.truth))
    mistakes = []
    for row in wrong[np.argsort(-confidence[wrong])][:_MISTAKES]:
        image = held_out.images[row]
        try:
            photo = jpeg_copy(read_bytes(image), _PHOTO_SIDE, where=image)
        except CatalensError:
            continue  # moved since it was decoded; the rest still tells the story
        mistakes.append(
            Mistake(
                base64.b64encode(photo).decode(),
                image,
                held_out.truth[row],
                str(guesses[row]),
                float(confidence[row]),
            )
        )
    return mistakes


def _svg(figure: Figure) -> str:
    out = BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue().decode()
    return text[text.index("<svg") :]  # without the XML prologue, to stand inside HTML
