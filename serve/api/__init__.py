"""The HTTP API of a replica, built around its service; needs no Ray."""

from importlib.metadata import version
from pathlib import Path

from fastapi import Depends
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from serve import problems
from serve.access.audit import AuditLog
from serve.access.guard import Guard
from serve.access.headers import SecurityHeaders
from serve.access.keys import KeyRing
from serve.api.classify import ClassifyFirst, classify_routes
from serve.api.documented import document
from serve.api.facts import fact_routes
from serve.api.imports import import_routes
from serve.api.match import match_routes
from serve.api.oip import oip_routes
from serve.api.products import product_routes
from serve.api.queries import refuse_unknown_parameters
from serve.api.reviews import review_routes
from serve.service import Service

_ROUTES = (
    classify_routes,
    match_routes,
    import_routes,
    product_routes,
    review_routes,
    oip_routes,
    fact_routes,
)
_ABOUT = "Puts every product in its place in a shop's category tree."


def create_api(service: Service) -> ASGIApp:
    """The ASGI app; every error it gives is a problem document (RFC 9457)."""
    api = FastAPIOffline(
        title="Catalens",
        version=version("catalens"),
        description=_ABOUT,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown_parameters)],
    )
    problems.install(api)
    page = Path(__file__).parents[1] / "page"

    @api.get("/", include_in_schema=False)
    async def root() -> FileResponse:
        return FileResponse(page / "index.html")

    api.mount("/page", StaticFiles(directory=page))
    for routes in _ROUTES:
        api.include_router(routes(service))
    document(api)
    settings = service.settings
    app: ASGIApp = Guard(
        ClassifyFirst(api, service),
        None if settings.api_keys is None else KeyRing(Path(settings.api_keys)),
        settings.rate_limit,
        None if settings.audit_log is None else AuditLog(settings.audit_log),
        settings.hosts,
        settings.cors_origins,
    )
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("Authorization", "X-API-Key", "Content-Type", "Accept"),
        )
    return SecurityHeaders(problems.LastResort(app, service.watch))
