"""The report's figures, each as SVG to stand inside the page."""

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from catalog.metrics import surest_first

_LABELLED_CLASSES = 40
_BINS = 10
_GREY = "#999"


def learning_curves(epochs: tuple[dict[str, Any], ...]) -> str:
    """Loss and held-out top-1 by epoch; empty without fine-tuning."""
    rows = [record for record in epochs if record["phase"] == "finetune"]
    if not rows:
        return ""
    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for trained in _trainings(rows):
        number = [record["epoch"] for record in trained]
        left.plot(number, [record["train_loss"] for record in trained], color="tab:blue")
        left.plot(number, [record["held_out_loss"] for record in trained], color="tab:orange")
        right.plot(number, [record["held_out_top1"] for record in trained], color="tab:green")
    left.set(title="loss", xlabel="epoch")
    left.legend(["training (augmented)", "held out"], frameon=False)
    right.set(title="held-out top-1", xlabel="epoch")
    return _svg(figure)


def _trainings(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The epochs of each fine-tuning of the run; each begins with its first."""
    found: list[list[dict[str, Any]]] = []
    for record in rows:
        if not found or record["epoch"] <= found[-1][-1]["epoch"]:
            found.append([])
        found[-1].append(record)
    return found


def confusion(classes: NDArray[Any], truth: NDArray[Any], guesses: NDArray[Any]) -> str:
    """Shares of each true category that were taken for each."""
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


def trust(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> str:
    """Beside each other: is a confidence meant, and how often is the surest share right.

    Args:
        confidence: float32 [N], calibrated probability of the first guess.
        right: bool [N].
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, beside = figure.subplots(1, 2)
    _reliability(left, confidence, right)
    _selective(beside, confidence, right)
    return _svg(figure)


def _reliability(axes: Axes, confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
    """Equal-mass bins, so that every dot stands for as many photos."""
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, min(_BINS, max(1, len(order) // 10)))
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--")
    axes.plot(
        [confidence[rows].mean() for rows in bins], [right[rows].mean() for rows in bins], "o-"
    )
    axes.set(
        title="is the confidence meant?",
        xlabel="confidence of the first guess",
        ylabel="share of them that is right",
    )


def _selective(axes: Axes, confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
    _, so_far = surest_first(confidence, right)
    axes.plot(np.arange(1, len(so_far) + 1) / len(so_far), so_far)
    axes.axhline(0.95, color=_GREY, linestyle="--")
    axes.set(
        title="how many can go unseen?",
        xlabel="share answered, the surest first",
        ylabel="share of them that is right",
    )


def _svg(figure: Figure) -> str:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    out = BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue().decode()
    return text[text.index("<svg") :]  # without the XML prologue, to stand inside HTML
