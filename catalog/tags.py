"""Tags: what is true of a photo beside its category, each with a probability of its own."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SEPARATORS: Final = re.compile(r"[,;|]")


@dataclass(frozen=True, eq=False)
class TagModel:
    """Logistic regressions on the embedding, one per tag.

    Attributes:
        names: the tags.
        weight: float32 [T, D].
        bias: float32 [T].
    """

    names: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def probabilities(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32 [N, T], independent of each other, of unit embeddings float32 [N, D]."""
        logits = embeddings @ self.weight.T + self.bias
        return np.asarray(1 / (1 + np.exp(-logits.clip(-60, 60))), dtype=np.float32)

    def ranked(self, embedding: NDArray[np.float32], count: int) -> list[tuple[str, float]]:
        """The likeliest tags of one photo, with their probabilities."""
        shares = self.probabilities(embedding[None])[0]
        order = np.argsort(-shares, kind="stable")[:count]
        return [(self.names[number], float(shares[number])) for number in order.tolist()]


def split_tags(text: str) -> tuple[str, ...]:
    """The tags of a manifest's cell, sorted.

    Commas, semicolons or bars separate them; a JSON list, as Parquet and NDJSON have, is one too.
    """
    try:
        found = json.loads(text) if text.startswith("[") else None
    except ValueError:
        found = None
    parts = map(str, found) if isinstance(found, list) else _SEPARATORS.split(text)
    return tuple(sorted({" ".join(tag.split()) for tag in parts} - {""}))


def write_tag_model(file: Path, model: TagModel) -> None:
    """Write as numpy's npz, without pickle."""
    np.savez(file, names=np.array(model.names), weight=model.weight, bias=model.bias)


def read_tag_model(file: Path) -> TagModel:
    """The inverse of `write_tag_model`."""
    with np.load(file, allow_pickle=False) as found:
        return TagModel(tuple(found["names"].tolist()), found["weight"], found["bias"])
