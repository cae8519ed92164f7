"""Every error as an RFC 9457 problem document: what, where, what to do; never a stack trace."""

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.errors import CatalensError, InvalidRequest
from serve.batching import RETRY_AFTER_S
from serve.sending import Sending
from serve.watch import Watch

MEDIA_TYPE: Final = "application/problem+json"
_logger = logging.getLogger(__name__)


class RequestTooLarge(CatalensError):
    """A body over its limit that is not one photo."""

    type = "request-too-large"


class NotReady(CatalensError):
    """The server cannot answer yet, or not any more."""

    type = "not-ready"


class Kind(BaseModel):
    """Status and title of a problem's type."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    "invalid-image": Kind(status=400, title="Not a readable photo"),
    "image-too-large": Kind(status=413, title="Photo too large"),
    "request-too-large": Kind(status=413, title="Request too large"),
    "unsupported-media-type": Kind(status=415, title="Unsupported media type"),
    "invalid-request": Kind(status=422, title="Invalid request"),
    "unauthorized": Kind(status=401, title="No API key that is known"),
    "forbidden": Kind(status=403, title="Not with this API key"),
    "rate-limited": Kind(status=429, title="Too many requests"),
    "unknown-model": Kind(status=404, title="Unknown model"),
    "unknown-product": Kind(status=404, title="Unknown product"),
    "unknown-report": Kind(status=404, title="No report"),
    "unknown-review": Kind(status=404, title="Unknown review"),
    "unknown-category": Kind(status=404, title="Unknown category"),
    "unknown-address": Kind(status=404, title="No such address"),
    "method-not-allowed": Kind(status=405, title="Method not allowed"),
    "catalog-missing": Kind(status=409, title="No catalog is served"),
    "embedding-mismatch": Kind(status=409, title="Bundle and catalog do not fit"),
    "overloaded": Kind(status=503, title="Overloaded"),
    "not-ready": Kind(status=503, title="Not ready"),
    "internal": Kind(status=500, title="Internal error"),
}

_ADVICE: Final[Mapping[int, Mapping[str, str]]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_S)},
    # Or the rest of the body would be received only to be thrown away.
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {"Connection": "close"},
}


class Problem(BaseModel):
    """Body of every error answer (RFC 9457).

    Attributes:
        type: a stable name to act on, such as invalid-image.
        title: the type in words.
        status: the HTTP status.
        detail: what is wrong here.
        where: the field, file or setting it is about.
        fix: what to do.
        error: detail and fix in one, where clients of the Open Inference Protocol look.
    """

    type: str
    title: str
    status: int
    detail: str
    where: str = ""
    fix: str = ""
    error: str = ""


def _document(kind: str, detail: str, where: str = "", fix: str = "") -> Problem:
    found = KINDS[kind]
    return Problem(
        type=kind,
        title=found.title,
        status=found.status,
        detail=detail,
        where=where,
        fix=fix,
        error=f"{detail} {fix}".strip(),
    )


_INTERNAL: Final = _document(
    "internal",
    "something went wrong that is not your fault.",
    fix="Try again; if it stays, the server's log says more.",
)


def problem(
    kind: str,
    detail: str,
    *,
    where: str = "",
    fix: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer of one of `KINDS`."""
    return _response(_document(kind, detail, where, fix), headers)


def document_of(error: CatalensError) -> Problem:
    """An error of ours as a document; one that is not the caller's to mend is logged."""
    if error.type not in KINDS:
        _logger.error("not the caller's to mend: %s", error)
        return _INTERNAL
    return _document(error.type, error.what, error.where, error.fix)


def of_error(error: CatalensError) -> Response:
    """The answer to an error of ours."""
    return _response(document_of(error))


def of_validation(details: ErrorDetails) -> InvalidRequest:
    """The first fault that pydantic found."""
    # FastAPI puts `query` or `path` before the field's own name.
    place = ".".join(str(part) for part in details["loc"] if part not in ("query", "path"))
    return InvalidRequest(
        f"{details['msg'].removeprefix('Value error, ')}.",
        where=place or "body",
        fix="See /docs for the fields.",
    )


def install(api: FastAPI) -> None:
    """Make every error of the API a problem document."""

    async def on_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, CatalensError)
        return of_error(error)

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return of_error(of_validation(error.errors()[0]))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return problem(
                "method-not-allowed",
                f"{request.url.path} does not take {request.method}.",
                where=request.url.path,
                fix="See /docs for the calls.",
                headers=error.headers,
            )
        if error.status_code == HTTPStatus.NOT_FOUND:
            return problem(
                "unknown-address",
                f"there is nothing at {request.url.path}.",
                where=request.url.path,
                fix="See /docs for the calls.",
            )
        return problem("invalid-request", f"{error.detail}.", fix="See /docs for the calls.")

    async def on_anything(_: Request, __: Exception) -> Response:
        return _response(_INTERNAL)  # and it is raised on, to `LastResort`

    api.add_exception_handler(Exception, on_anything)
    api.add_exception_handler(CatalensError, on_error)
    api.add_exception_handler(RequestValidationError, on_validation)
    api.add_exception_handler(HTTPException, on_http)


class LastResort:
    """Answers what nobody expected with a plain 500 problem and logs it; tells of every answer."""

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; see the class."""
        began, sending = time.monotonic(), Sending(send)
        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception:
            _logger.exception("unexpected error at %s", scope.get("path"))
            if not sending.status and scope["type"] == "http":
                await _response(_INTERNAL)(scope, receive, sending)
        if sending.status:
            route = scope.get("route")
            call = scope.get("call", "other") if route is None else route.path
            self._watch.answered(call, sending.status, time.monotonic() - began)


def _response(document: Problem, headers: Mapping[str, str] | None = None) -> Response:
    advice = _ADVICE.get(document.status, {})
    body = to_json(document)
    return Response(body, document.status, {**advice, **(headers or {})}, MEDIA_TYPE)
