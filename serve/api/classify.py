"""`POST /v1/classify`: which category is this photo."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.errors import CatalensError, InvalidRequest
from serve.api import streamed
from serve.api.asked import read_photos
from serve.api.documented import answer, body
from serve.api.queries import check_parameters
from serve.api.schemas import ClassifyAnswer, ClassifyBody
from serve.problems import of_error, of_validation
from serve.service import Service

PATH: Final = "/v1/classify"

Level = Annotated[
    Annotated[int, Field(ge=1)] | None,
    BeforeValidator(lambda value: None if value == "" else value),
]


class ClassifyQuery(BaseModel):
    """What a request may ask for beside its photos."""

    top_k: int = Field(5, ge=1, description="categories and tags at most")
    level: Level = None
    explain: bool = False


_DEFAULT: Final = ClassifyQuery.model_validate({})


def classify_routes(service: Service) -> APIRouter:
    """The call, bound to a replica's service."""
    router = APIRouter()

    @router.post(
        PATH,
        responses=answer(ClassifyAnswer),
        openapi_extra=body(ClassifyBody, files=("image",), raw=True),
    )
    async def classify(request: Request, query: Annotated[ClassifyQuery, Query()]) -> Response:
        """Rank the categories of one photo or several.

        Send the photo itself, a form with many files, or JSON. `answer` is the deepest category
        that is certain enough, or the likeliest of `level`. With `Accept: application/x-ndjson`
        each photo is answered by a line of its own as soon as it is computed, and far more photos
        are read. With `explain=true` the answer of one photo says why: which part of it mattered
        and which training photos are like it; that takes about as long as fifty photos.
        """
        return await _classified(service, request, query)

    return router


class ClassifyFirst:
    """Hands classify past FastAPI, whose own steps took 0.2 ms of a core per request.

    FastAPI documents the call; everything else goes on to it.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["call"] = PATH
        request = Request(scope, receive)
        try:
            response = await _classified(self._service, request, _query(request))
        except CatalensError as error:
            response = of_error(error)
        await response(scope, receive, send)


def _query(request: Request) -> ClassifyQuery:
    if not request.scope["query_string"]:
        return _DEFAULT
    check_parameters(request, ClassifyQuery.model_fields)
    try:
        return ClassifyQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise of_validation(error.errors(include_url=False)[0]) from None


async def _classified(service: Service, request: Request, query: ClassifyQuery) -> Response:
    settings = service.settings
    by_line = streamed.MEDIA_TYPE in request.headers.get("accept", "")
    most = settings.max_streamed_photos if by_line else settings.max_photos
    photos, names = await read_photos(request, settings, most)
    model = service.model
    if query.level is not None:
        model.policy.tree.level(query.level)  # refuses before anything is computed
    if query.explain and (by_line or len(photos) != 1):
        raise InvalidRequest(
            "one photo is explained at a time.",
            where="explain",
            fix="Send one photo, or leave `explain` out.",
        )
    if by_line:
        return await streamed.streamed(model, photos, names, query.top_k, query.level)
    prediction = await model.predict(photos, names)
    results = model.policy.answers(prediction, query.top_k, query.level)
    if query.level is None:
        service.shadow.offer(photos, names, model.document.version, results)
    if query.explain:
        path = results[0]["answer"]["path"]
        results[0]["explanation"] = await model.explain(photos[0], names[0], prediction, path)
    return Response(
        to_json({"model": model.document.version, "results": results}),
        media_type="application/json",
    )
