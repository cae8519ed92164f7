"""How calls that read their body themselves still show it in OpenAPI."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serve.api import schemas
from serve.problems import MEDIA_TYPE, Problem

_REF: Final = "#/components/schemas/{model}"
_BINARY: Final = {"type": "string", "format": "binary"}
_SHOWN: Final = (
    schemas.ClassifyBody,
    schemas.CompareBody,
    schemas.CategorizeBody,
    schemas.TagsBody,
    schemas.SearchBody,
    schemas.StoredProductBody,
    schemas.ImportedProductBody,
    schemas.CorrectBody,
    schemas.MoveBody,
)


def body(
    shape: type[BaseModel],
    *,
    texts: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    raw: bool = False,
) -> dict[str, Any]:
    """The `openapi_extra` of a call whose body is read by hand.

    Args:
        shape: of the JSON.
        texts: text parts of the form.
        files: file parts of the form, each of which may come several times.
        raw: whether the body may be a photo.
    """
    content: dict[str, Any] = {}
    if raw:
        content["image/*"] = {"schema": _BINARY}
    content["application/json"] = {"schema": {"$ref": _REF.format(model=shape.__name__)}}
    if texts or files:
        parts: dict[str, Any] = {name: {"type": "string"} for name in texts}
        parts |= {name: {"type": "array", "items": _BINARY} for name in files}
        content["multipart/form-data"] = {"schema": {"type": "object", "properties": parts}}
    return {"requestBody": {"required": True, "content": content}}


def answer(shape: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a call: its answer, or a problem."""
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}}
    return {200: {"model": shape}, "default": {"description": "A problem (RFC 9457)", **problem}}


def document(api: FastAPI) -> None:
    """Add the bodies and the problem to the API's schemas."""

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            found = get_openapi(
                title=api.title,
                version=api.version,
                description=api.description,
                routes=api.routes,
            )
            _, shapes = models_json_schema(
                [(shape, "validation") for shape in (*_SHOWN, Problem)], ref_template=_REF
            )
            components = found.setdefault("components", {}).setdefault("schemas", {})
            components.update(shapes["$defs"])
            # Every error is a problem; FastAPI's own shape never leaves the server.
            for call in (call for path in found["paths"].values() for call in path.values()):
                call["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                components.pop(name, None)
            api.openapi_schema = found
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
