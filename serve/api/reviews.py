"""`/v1/reviews`: answers that wait for a person, what people say of them, and taking it back."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from catalog.categorise import CategoryScore
from catalog.errors import InvalidRequest, UnknownReview
from catalog.product import Product
from catalog.reviews.export import to_csv, to_xlsx
from catalog.reviews.record import Review, Status
from serve.access.audit import note
from serve.api.asked import Asked, read_body
from serve.api.documented import answer, body
from serve.api.schemas import (
    CategorizeAnswer,
    CorrectBody,
    PathProbability,
    ReviewAnswer,
    ReviewsAnswer,
)
from serve.catalog_door import CatalogDoor
from serve.service import Service

_STATUSES: Final[dict[str, tuple[Status, ...]]] = {
    "open": ("open",),
    "decided": ("accepted", "corrected"),
    "all": ("open", "accepted", "corrected"),
}
_EXCEL: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def by_person(placed: CategorizeAnswer, decided: str, review: str) -> CategorizeAnswer:
    """The answer for a product that a person has placed before."""
    others = [PathProbability(path=placed.path or "", probability=placed.score)]
    alternatives = [one for one in (*others, *placed.alternatives) if one.path not in ("", decided)]
    given = {"path": decided, "score": 1.0, "decision": "auto", "review": review}
    return placed.model_copy(update=given | {"alternatives": alternatives})


async def queued(
    request: Request,
    service: Service,
    catalog: CatalogDoor,
    asked: Asked,
    product_id: str | None,
    review: str,
    known: Review | None,
    placed: CategorizeAnswer,
) -> CategorizeAnswer:
    """The answer, kept for a person where it needs one; asked again, it is not written again."""
    if placed.decision == "auto":
        return placed
    if known is not None and (known.path, known.score) == (placed.path, placed.score):
        return placed.model_copy(update={"review": review})
    note(request.scope, review=review, product=product_id)
    await catalog.keep_review(
        Review(
            id=review,
            product_id=product_id or f"review-{review}",
            name=asked.name,
            photos=await service.small_copies(asked.photos),
            photo_count=len(asked.photos),
            path=placed.path,
            score=placed.score,
            alternatives=tuple(
                CategoryScore(one.path, one.probability) for one in placed.alternatives
            ),
            created=datetime.now(UTC) if known is None else known.created,
        )
    )
    return placed.model_copy(update={"review": review})


def review_routes(service: Service) -> APIRouter:
    """The calls, bound to a replica's service."""
    router = APIRouter()

    @router.get("/v1/reviews", responses=answer(ReviewsAnswer))
    async def reviews(
        status: Literal["open", "decided", "all"] = "open",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
        after: str | None = None,
    ) -> ReviewsAnswer:
        """List answers that wait for a person, or that one has decided, the oldest first."""
        page = await service.catalog.reviews(_STATUSES[status], limit, after)
        return ReviewsAnswer(
            total=page.total, reviews=[_shown(one) for one in page.reviews], next=page.next
        )

    @router.get("/v1/reviews:export")
    async def export(
        file_format: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
    ) -> Response:
        """What people decided, as a table of labelled products."""
        found = (await service.catalog.reviews(_STATUSES["decided"])).reviews
        if file_format == "csv":
            content: str | bytes = await service.off_loop(to_csv, found)
            media_type = "text/csv"
        else:
            content, media_type = await service.off_loop(to_xlsx, found), _EXCEL
        name = f'attachment; filename="labelled.{file_format}"'
        return Response(content, headers={"Content-Disposition": name}, media_type=media_type)

    @router.get("/v1/reviews/{review}", responses=answer(ReviewAnswer))
    async def one(review: str) -> ReviewAnswer:
        """Show one of them."""
        found = await service.catalog.review(review)
        return _shown(found)

    @router.get("/v1/reviews/{review}/photos/{number}")
    async def photo(review: str, number: int) -> Response:
        """Show a photo of the product, as a small JPEG."""
        photos = (await service.catalog.review(review)).photos
        if not 0 <= number < len(photos):
            raise UnknownReview(
                f"it has {len(photos)} photos, counted from 0.", where=f"photo {number}"
            )
        return Response(photos[number], media_type="image/jpeg")

    @router.post("/v1/reviews/{review}:accept", responses=answer(ReviewAnswer))
    async def accept(review: str, request: Request) -> ReviewAnswer:
        """Say that the answer is right; the product is filed there."""
        found = await service.catalog.review(review)
        if found.path is None:
            raise InvalidRequest(
                "nothing was answered that could be right.",
                where=f"review {review[:40]!r}",
                fix="Correct it instead.",
            )
        note(request.scope, product=found.product_id, category=found.path)
        return await _decide(service, found, found.path)

    @router.post(
        "/v1/reviews/{review}:correct",
        responses=answer(ReviewAnswer),
        openapi_extra=body(CorrectBody),
    )
    async def correct(review: str, request: Request) -> ReviewAnswer:
        """Say where the product belongs; the next search finds it there."""
        given = await read_body(request, CorrectBody, service.settings)
        assert isinstance(given, CorrectBody)
        found = await service.catalog.review(review)
        note(request.scope, product=found.product_id, category=given.path)
        return await _decide(service, found, given.path)

    @router.post("/v1/reviews/{review}:undo", responses=answer(ReviewAnswer))
    async def undo(review: str, request: Request) -> ReviewAnswer:
        """Take back what was said; the product is again what it was."""
        found = await service.catalog.undo(review)
        note(request.scope, product=found.product_id)
        return _shown(found)

    return router


async def _decide(service: Service, review: Review, path: str) -> ReviewAnswer:
    catalog, model = service.catalog, service.model
    names = tuple(f"photo {number} of the review" for number in range(len(review.photos)))
    product = Product(
        id=review.product_id,
        name=review.name,
        embedding=await model.embed(review.photos, names),
        photos=review.photos,
    )
    decided = await catalog.decide(review.id, path, product, model.document.embedding_id)
    return _shown(decided)


def _shown(review: Review) -> ReviewAnswer:
    return ReviewAnswer(
        id=review.id,
        status=review.status,
        product_id=review.product_id,
        name=review.name,
        photos=[f"/v1/reviews/{review.id}/photos/{number}" for number in range(review.photo_count)],
        path=review.path,
        score=review.score,
        alternatives=[
            PathProbability(path=one.path, probability=one.probability)
            for one in review.alternatives
        ],
        created=review.created,
        decided=review.decided,
        decided_at=review.decided_at,
    )
