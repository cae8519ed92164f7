"""`POST /v1/classify`: which category is this photo."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator, Field
from pydantic_core import to_json

from serve.answers import classified
from serve.api import streamed
from serve.api.asked import read_photos
from serve.api.documented import answer, body
from serve.api.schemas import ClassifyAnswer, ClassifyBody
from serve.service import Service

Level = Annotated[
    Annotated[int, Field(ge=1)] | None,
    BeforeValidator(lambda value: None if value == "" else value),
]


def classify_routes(service: Service) -> APIRouter:
    """The call, bound to a replica's service."""
    router = APIRouter()

    @router.post(
        "/v1/classify",
        responses=answer(ClassifyAnswer),
        openapi_extra=body(ClassifyBody, files=("image",), raw=True),
    )
    async def classify(
        request: Request, top_k: Annotated[int, Query(ge=1)] = 5, level: Level = None
    ) -> Response:
        """Rank the categories of one photo or several.

        Send the photo itself, a form with many files, or JSON. `answer` is the deepest category
        that is certain enough, or the likeliest of `level`. With `Accept: application/x-ndjson`
        each photo is answered by a line of its own as soon as it is computed, and far more photos
        are read.
        """
        settings = service.settings
        by_line = streamed.MEDIA_TYPE in request.headers.get("accept", "")
        most = settings.max_streamed_photos if by_line else settings.max_photos
        photos, names = await read_photos(request, settings, most)
        model = service.model
        if level is not None:
            model.tree.level(level)  # refuses before anything is computed
        if by_line:
            return await streamed.streamed(model, photos, names, top_k, level)
        prediction = await model.predict(photos, names)
        document = model.document
        results = classified(model.tree, document.thresholds, prediction, top_k, level)
        return Response(
            to_json({"model": document.version, "results": results}),
            media_type="application/json",
        )

    return router
