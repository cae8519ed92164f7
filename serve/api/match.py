"""`POST /v1/compare`, `/v1/categorize` and `/v1/tags`: from photos and names together."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray

from catalog.categorise import CategoryScore
from catalog.match import score_pair
from catalog.precision import TARGET_PRECISION
from catalog.product import check_id, mean_embedding
from catalog.reviews.record import review_id
from inference.session import Prediction
from serve.access.guard import may_write
from serve.api.asked import Asked, of_body, of_form, read_body, require_something
from serve.api.documented import answer, body
from serve.api.reviews import by_person, queued
from serve.api.schemas import (
    CategorizeAnswer,
    CategorizeBody,
    CompareAnswer,
    CompareBody,
    EvidenceAnswer,
    PathProbability,
    TagsAnswer,
    TagsBody,
)
from serve.bodies import Form
from serve.catalog_door import Surroundings
from serve.model import ServedModel
from serve.service import Service

_SIDES = ("left.name", "left.image", "right.name", "right.image")
_MOST_TAGS = 10


def match_routes(service: Service) -> APIRouter:
    """The calls, bound to a replica's service."""
    router = APIRouter()

    @router.post(
        "/v1/compare",
        responses=answer(CompareAnswer),
        openapi_extra=body(CompareBody, texts=_SIDES[::2], files=_SIDES[1::2]),
    )
    async def compare(request: Request) -> CompareAnswer:
        """Say whether two products are one, from their photos, their names or both."""
        found = await read_body(request, CompareBody, service.settings, _SIDES)
        if isinstance(found, Form):
            left, right = of_form(found, "left."), of_form(found, "right.")
        else:
            left = await of_body(found.left, service, "left.")
            right = await of_body(found.right, service, "right.")
        require_something(left, "left")
        require_something(right, "right")
        model = service.model
        names = None
        if left.name and right.name:
            names = await service.off_loop(model.match_model.names.compare, left.name, right.name)
        cosine = await _cosine(model, left, right)
        match = score_pair(model.match_model, cosine, names)
        return CompareAnswer(
            image_similarity=match.image_similarity,
            name_similarity=match.name_similarity,
            name_reasons=list(match.name_reasons),
            score=match.score,
            decision=match.decision,
        )

    @router.post(
        "/v1/categorize",
        responses=answer(CategorizeAnswer),
        openapi_extra=body(CategorizeBody, texts=("name", "id"), files=("image",)),
    )
    async def categorize(
        request: Request,
        precision: Annotated[
            float, Query(ge=0.5, lt=1, description="how often `auto` must be right")
        ] = TARGET_PRECISION,
    ) -> CategorizeAnswer:
        """Say where in the catalog a new product belongs, how sure that is, and why."""
        found = await read_body(request, CategorizeBody, service.settings, ("name", "id", "image"))
        if isinstance(found, Form):
            asked, product_id = of_form(found), found.texts.get("id")
        else:
            asked = await of_body(found.product, service, "product.")
            product_id = found.id
        require_something(asked)
        if product_id is not None:
            check_id(product_id)
        model = service.model
        prediction = await model.predict(asked.photos, asked.names) if asked.photos else None
        embedding = None if prediction is None else mean_embedding(prediction.embeddings)
        catalog = service.served_catalog
        around, review = Surroundings(), ""
        if catalog is not None:
            review = await service.off_loop(review_id, product_id, asked.name, asked.photos)
            embedding_id = model.document.embedding_id
            around = await catalog.surroundings(embedding, embedding_id, asked.name, review)
        placed = await service.off_loop(
            _placed, model, asked, prediction, embedding, around, precision
        )
        if catalog is None:
            return placed
        known = around.review
        if known is not None and known.decided is not None:
            return by_person(placed, known.decided, review)
        if not may_write(request.scope):
            return placed
        return await queued(request, service, catalog, asked, product_id, review, known, placed)

    @router.post("/v1/tags", responses=answer(TagsAnswer), openapi_extra=body(TagsBody))
    async def tags(request: Request) -> TagsAnswer:
        """Rank the categories that a name speaks for."""
        found = await read_body(request, TagsBody, service.settings)
        assert isinstance(found, TagsBody)
        asked = require_something(Asked(found.name.strip() or None, (), ()), "name")
        assert asked.name is not None
        model = service.model
        around = Surroundings()
        if service.served_catalog is not None:
            embedding_id = model.document.embedding_id
            around = await service.served_catalog.surroundings(None, embedding_id, asked.name)
        ranked = await service.off_loop(
            model.categoriser.suggest, around.neighbours, asked.name, around.moves
        )
        return TagsAnswer(tags=_shown(ranked[:_MOST_TAGS]))

    return router


async def _cosine(model: ServedModel, left: Asked, right: Asked) -> float | None:
    if not (left.photos and right.photos):
        return None
    seen = await model.predict((*left.photos, *right.photos), (*left.names, *right.names))
    cut = len(left.photos)
    return float(mean_embedding(seen.embeddings[:cut]) @ mean_embedding(seen.embeddings[cut:]))


def _placed(
    model: ServedModel,
    asked: Asked,
    prediction: Prediction | None,
    embedding: NDArray[np.float32] | None,
    around: Surroundings,
    precision: float,
) -> CategorizeAnswer:
    shares = None if prediction is None else prediction.probabilities.mean(axis=0)
    found = model.categoriser.categorise(
        around.neighbours, shares, embedding, asked.name, around.moves, precision
    )
    return CategorizeAnswer(
        path=found.path,
        score=found.score,
        decision=found.decision,
        alternatives=_shown(found.alternatives),
        evidence=[EvidenceAnswer(**vars(one)) for one in found.evidence],
        review=None,
    )


def _shown(ranked: Iterable[CategoryScore]) -> list[PathProbability]:
    return [PathProbability(path=one.path, probability=one.probability) for one in ranked]
