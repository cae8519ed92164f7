"""One product of the shop: what it is called, where it belongs, what it looks like."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidRequest
from catalog.tree import normalise_path

MAX_ID_LENGTH = 256
_UNIT_LENGTH_TOLERANCE = 1e-3


def check_id(product_id: str) -> str:
    """The id itself, if a catalog can keep it.

    Raises:
        InvalidRequest: it is empty, longer than 256 characters or holds control characters.
    """
    where = f"product id {product_id[:40]!r}"
    if not product_id:
        raise InvalidRequest("A product id is empty.", where=where, fix="Give each product an id.")
    if len(product_id) > MAX_ID_LENGTH:
        raise InvalidRequest(
            f"A product id has {len(product_id)} characters.",
            where=where,
            fix=f"Use at most {MAX_ID_LENGTH}.",
        )
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in product_id):
        raise InvalidRequest(
            "A product id holds control characters or half of a character pair.",
            where=where,
            fix="Use printable characters.",
        )
    return product_id


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_unicode(text: str, where: str) -> str:
    """The text itself, if it can be written as UTF-8.

    Raises:
        InvalidRequest: it holds one half of a surrogate pair.
    """
    if not is_unicode(text):
        raise InvalidRequest("The text is not valid Unicode.", where=where, fix="Send it as UTF-8.")
    return text


@dataclass(frozen=True, eq=False)
class Product:
    """A product as the catalog keeps it; compared by identity, for it holds an array.

    Attributes:
        id: 1 to 256 characters, none of them a control character.
        name: as the shop writes it, its accents composed (Unicode NFC).
        category: path with ``/``, brought into canonical form; None when it has none yet.
        attributes: the manifest's further columns.
        embedding: float32 [D] of unit length, the mean over the photos brought back to length 1.
        photos: JPEG copies.
        revision: another with each put, given by the catalog; empty before.

    Raises:
        InvalidRequest: the id is unusable, a text is not valid Unicode, or the embedding is not
            float32 [D] of unit length.
    """

    id: str
    name: str | None = None
    category: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    embedding: NDArray[np.float32] | None = None
    photos: tuple[bytes, ...] = ()
    revision: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        if self.category is not None:
            object.__setattr__(self, "category", normalise_path(self.category) or None)
        if self.name is not None:
            object.__setattr__(self, "name", unicodedata.normalize("NFC", self.name))
        where = f"product {self.id!r}"
        for text in (self.name or "", self.category or "", *self.attributes.items()):
            check_unicode("".join(text), where)
        if self.embedding is not None:
            _check_embedding(self.embedding, where)


def mean_embedding(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """One product's embedding from those of its photos.

    Args:
        embeddings: float32 [N, D].

    Returns:
        their mean brought back to unit length, float32 [D].
    """
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def _check_embedding(embedding: NDArray[np.float32], where: str) -> None:
    if embedding.dtype != np.float32 or embedding.ndim != 1:
        raise InvalidRequest(
            f"An embedding is {embedding.dtype} {list(embedding.shape)}.",
            where=where,
            fix="Give a float32 vector.",
        )
    length = float(np.linalg.norm(embedding))
    if not abs(length - 1.0) <= _UNIT_LENGTH_TOLERANCE:  # so that a NaN is refused too
        raise InvalidRequest(
            f"An embedding has length {length:.4g}.", where=where, fix="Divide it by its length."
        )
