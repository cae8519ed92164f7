"""One answer that waits for a person, or that a person has decided."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import pyarrow as pa

from catalog.categorise import CategoryScore
from catalog.product import check_id
from catalog.rows import key_field

Status = Literal["open", "accepted", "corrected"]

SCHEMA: Final = pa.schema(
    [
        key_field("id"),
        pa.field("product_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("photos", pa.list_(pa.binary())),
        pa.field("photo_count", pa.int32()),
        pa.field("path", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("alternatives", pa.string()),
        pa.field("created", pa.timestamp("us", "UTC")),
        pa.field("decided", pa.string()),
        pa.field("decided_at", pa.timestamp("us", "UTC")),
        pa.field("was_there", pa.bool_()),
        pa.field("category_before", pa.string()),
        pa.field("filed", pa.string()),
    ]
)


def review_id(product_id: str | None, name: str | None, photos: Sequence[bytes]) -> str:
    """The same for the same product, so that one asked about again is not queued again.

    Args:
        product_id: as the shop calls it; what tells products apart where it is given.
        name: as it was sent.
        photos: encoded, as they were sent.
    """
    if product_id is not None:
        digest = hashlib.sha256(f"id {product_id}".encode())
    else:
        digest = hashlib.sha256(f"name {name}".encode())
        for photo in photos:
            digest.update(hashlib.sha256(photo).digest())
    return digest.hexdigest()[:24]


@dataclass(frozen=True)
class Review:
    """An answer and what became of it.

    Attributes:
        id: of `review_id`.
        product_id: that the product has in the catalog once it is decided.
        name: of the product, or None.
        photos: small JPEG copies; none where they were not read.
        photo_count: how many there are.
        path: the category that was answered; None where nothing spoke for any.
        score: of that answer, 0 to 1.
        alternatives: the categories that came next.
        created: when it was asked about first.
        decided: the category that a person gave, or None.
        decided_at: when.
        was_there: whether the catalog held the product before.
        category_before: what its category was then.
        filed: revision of the product that was added for the decision, or None.
    """

    id: str
    product_id: str
    name: str | None
    photos: tuple[bytes, ...]
    photo_count: int
    path: str | None
    score: float
    alternatives: tuple[CategoryScore, ...]
    created: datetime
    decided: str | None = None
    decided_at: datetime | None = None
    was_there: bool = False
    category_before: str | None = None
    filed: str | None = None

    def __post_init__(self) -> None:
        check_id(self.product_id)

    @property
    def status(self) -> Status:
        """`open`, or what a person said of the answer."""
        if self.decided is None:
            return "open"
        return "accepted" if self.decided == self.path else "corrected"

    def to_row(self) -> dict[str, Any]:
        """Its columns in the table."""
        ranked = alternatives_text(self.alternatives)
        return vars(self) | {"photos": list(self.photos), "alternatives": ranked}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Review":
        """Reads what `to_row` wrote; without photos where they were not read."""
        fields = {name: row[name] for name in SCHEMA.names if name != "photos"}
        ranked = tuple(CategoryScore(*one) for one in json.loads(row["alternatives"]))
        return cls(**fields | {"photos": tuple(row.get("photos", ())), "alternatives": ranked})


@dataclass(frozen=True)
class Page:
    """Some of the reviews, the oldest first.

    Attributes:
        total: of those statuses.
        reviews: without their photos.
        next: where the next page begins; None at the end.
    """

    total: int
    reviews: tuple[Review, ...]
    next: str | None


def alternatives_text(alternatives: Sequence[CategoryScore]) -> str:
    """As the table keeps them."""
    return json.dumps([[one.path, one.probability] for one in alternatives])
