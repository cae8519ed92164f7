"""Training photos that a bundle carries, to be shown beside an answer: the ones most like it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """A training photo near one that was asked about.

    Attributes:
        image: path or URI it was read from.
        category: path it was labelled with.
        similarity: cosine of the embeddings.
        photo: small JPEG.
    """

    image: str
    category: str
    similarity: float
    photo: bytes


@dataclass(frozen=True, eq=False)
class Examples:
    """Training photos with their embeddings.

    Attributes:
        images: paths or URIs.
        categories: the label of each.
        embeddings: float32 [N, D], unit length.
        photos: small JPEGs.
    """

    images: tuple[str, ...]
    categories: tuple[str, ...]
    embeddings: NDArray[np.float32]
    photos: tuple[bytes, ...]

    def nearest(self, embedding: NDArray[np.float32], count: int) -> list[Example]:
        """The ``count`` nearest to float32 [D], by cosine, nearest first."""
        similarities = self.embeddings @ embedding
        order = np.argsort(-similarities, kind="stable")[:count]
        return [
            Example(
                self.images[row], self.categories[row], float(similarities[row]), self.photos[row]
            )
            for row in order.tolist()
        ]


def write_examples(file: Path, examples: Examples) -> None:
    """Write as Parquet: image, category, embedding, photo."""
    import pyarrow as pa  # a replica that explains nothing need not import it
    import pyarrow.parquet as pq

    width = examples.embeddings.shape[1]
    flat = pa.array(examples.embeddings.astype(np.float32).ravel())
    table = pa.table(
        {
            "image": list(examples.images),
            "category": list(examples.categories),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, width),
            "photo": pa.array(examples.photos, pa.binary()),
        }
    )
    pq.write_table(table, file)


def read_examples(file: Path) -> Examples:
    """The inverse of `write_examples`."""
    import pyarrow.parquet as pq

    table = pq.read_table(file).combine_chunks()
    embeddings = table["embedding"].combine_chunks()
    flat = embeddings.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return Examples(
        tuple(table["image"].to_pylist()),
        tuple(table["category"].to_pylist()),
        flat.reshape(len(table), -1),
        tuple(table["photo"].to_pylist()),
    )
