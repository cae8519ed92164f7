"""A person's word on an answer, and taking it back: in the catalog and in the queue.

The catalog is written first. What was cut off before the queue was written stays in the queue, and
deciding it again is harmless.
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
        review: as it was read, with its photos.
        path: the category.
        product: what to file where the catalog does not hold it yet; of one that it holds only the
            category is changed.

    Raises:
        InvalidRequest: the path is empty, or it was decided otherwise before.
    """
    path = normalise_path(path)
    if not path:
        raise InvalidRequest("The category is empty.", where="path", fix="Give its path.")
    if review.decided not in (None, path):
        raise InvalidRequest(
            f"It was decided already: {review.decided}.",
            where=f"review {review.id}",
            fix="Undo that first.",
        )
    there = catalog.get_all([product.id], with_photos=False).get(product.id)
    filed = None
    if there is None:
        filed = catalog.add(replace(product, category=path))
    if filed is None:  # also where another was just faster
        catalog.file(product.id, path)
    if review.decided is None:
        review = replace(
            review,
            decided=path,
            decided_at=datetime.now(UTC),
            was_there=there is not None,
            category_before=None if there is None else there.category,
            filed=filed,
        )
        reviews.replace(review)
    return review


def undo(catalog: Catalog, reviews: Reviews, review: Review) -> Review:
    """Bring the product back to what it was, and the review into the queue.

    A product that was filed elsewhere or put anew since is left as it is now. A review that was not
    decided stays as it is.
    """
    if review.decided is None:
        return review
    if review.was_there:
        catalog.file(review.product_id, review.category_before, only_from=review.decided)
    elif review.filed is not None:
        catalog.delete_revision(review.product_id, review.filed)
    reopened = replace(
        review, decided=None, decided_at=None, was_there=False, category_before=None, filed=None
    )
    reviews.replace(reopened)
    return reopened


def unknown(review_id: str) -> UnknownReview:
    """The error of an id that no review has."""
    return UnknownReview(
        "there is no such review.",
        where=f"review {review_id[:40]!r}",
        fix="List them with GET /v1/reviews.",
    )
