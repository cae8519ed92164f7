"""A person's word on an answer, and taking it back: in the catalog and in the queue.

Each is idempotent, so one that was cut off between the two writes is simply repeated.
"""

from dataclasses import replace
from datetime import UTC, datetime

from catalog.errors import InvalidRequest, UnknownReview
from catalog.product import Product
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Review
from catalog.store import Catalog
from catalog.tree import normalise_path


def decide(
    catalog: Catalog, reviews: Reviews, review: Review, path: str, product: Product
) -> Review:
    """File the product in a category; the next search finds it there.

    Args:
        catalog: where to.
        reviews: where the review is.
        review: as it was read.
        path: the category.
        product: what to file where the catalog does not hold it yet.

    Raises:
        InvalidRequest: the path is empty, or it was decided otherwise before.
        EmbeddingMismatch: the product was embedded by another bundle than the catalog's.
    """
    path = normalise_path(path)
    if not path:
        raise InvalidRequest("The category is empty.", where="path", fix="Give its path.")
    there = catalog.get(review.product_id)
    if review.decided is None:
        review = replace(
            review,
            decided=path,
            decided_at=datetime.now(UTC),
            was_there=there is not None,
            category_before=None if there is None else there.category,
        )
        reviews.replace(review)
    elif review.decided != path:
        raise InvalidRequest(
            f"It was decided already: {review.decided}.",
            where=f"review {review.id}",
            fix="Undo that first.",
        )
    catalog.put([replace(there or product, category=path)])
    return review


def undo(catalog: Catalog, reviews: Reviews, review: Review) -> Review:
    """Bring the product back to what it was, and the review into the queue.

    A product that was filed elsewhere since is left there; one that was not decided stays as it is.

    Raises:
        EmbeddingMismatch: the catalog was reindexed meanwhile.
    """
    if review.decided is None:
        return review
    there = catalog.get(review.product_id)
    if there is not None and there.category == review.decided:
        if review.was_there:
            catalog.put([replace(there, category=review.category_before)])
        else:
            catalog.delete([there.id])
    reopened = replace(review, decided=None, decided_at=None, was_there=False, category_before=None)
    reviews.replace(reopened)
    return reopened


def unknown(review_id: str) -> UnknownReview:
    """The error of an id that no review has."""
    return UnknownReview(
        "there is no such review.",
        where=f"review {review_id[:40]!r}",
        fix="List them with GET /v1/reviews.",
    )
