"""`GET /v1/categories`, `/v1/model`, its report, `/healthz`, `/readyz`: what is served, and how."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from fastapi import APIRouter, Request, Response

from catalog.errors import UnknownReport
from catalog.moves import Move, moved, require_known
from catalog.tree import ancestors
from serve.access.audit import note
from serve.api.asked import read_body
from serve.api.documented import answer, body
from serve.api.schemas import (
    CatalogAnswer,
    CategoriesAnswer,
    CategoryNode,
    Health,
    ModelAnswer,
    MoveAnswer,
    MoveBody,
)
from serve.service import Service
from serve.swap import SwapState

# It holds its pictures and its style, and runs nothing.
_REPORT: Final = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def fact_routes(service: Service) -> APIRouter:
    """The calls, bound to a replica's service."""
    router = APIRouter()

    @router.get("/v1/categories", responses=answer(CategoriesAnswer))
    async def categories() -> CategoriesAnswer:
        """The category tree: the model's classes and the catalog's categories together."""
        catalog = service.served_catalog
        model = service.model
        classes, filed = model.document.classes, None
        if catalog is not None:
            filed = await catalog.categories()
            around = await catalog.surroundings(None, model.document.embedding_id, None)
            classes = tuple(moved(path, around.moves) for path in classes)
        return CategoriesAnswer(categories=category_nodes(classes, filed))

    @router.post("/v1/categories:move", responses=answer(MoveAnswer), openapi_extra=body(MoveBody))
    async def move(request: Request) -> MoveAnswer:
        """Rename a category, merge it into another or move it, with all below it."""
        catalog = service.catalog
        asked = await read_body(request, MoveBody, service.settings)
        assert isinstance(asked, MoveBody)
        note(request.scope, old=asked.old, new=asked.new)
        document = service.model.document
        filed = await catalog.categories()
        around = await catalog.surroundings(None, document.embedding_id, None)
        old = Move(asked.old, asked.new).old
        fix = "GET /v1/categories lists them."
        require_known(old, document.classes, filed, around.moves, fix)
        return MoveAnswer(products=await catalog.move_category(asked.old, asked.new))

    @router.get("/v1/model", responses=answer(ModelAnswer))
    async def model() -> ModelAnswer:
        """The bundle that answers, and whether another is loading or was refused."""
        active = service.model
        document = active.document
        facts = None if service.served_catalog is None else await service.served_catalog.facts()
        return ModelAnswer(
            model=document.version,
            bundle=active.uri,
            classes=len(document.classes),
            variant=active.session.variant,
            device=active.session.device,
            embedding_id=document.embedding_id,
            embedding_dimension=document.embedding_dimension,
            certainty=document.thresholds.certainty,
            unknown=document.thresholds.unknown,
            accuracy=document.variants[active.session.variant].accuracy,
            provenance=document.provenance,
            catalog=None if facts is None else CatalogAnswer(**vars(facts)),
            swap=service.slot.swap or SwapState(state="active", bundle=active.uri),
            shadow=service.shadow.state,
        )

    @router.get("/v1/model/report", responses={200: {"content": {"text/html": {}}}})
    async def report() -> Response:
        """How far to trust the bundle that answers: the report of its training, a page."""
        found = service.model.report
        if found is None:
            raise UnknownReport(
                "the bundle has no report.",
                where=service.model.uri,
                fix="Export the run again: bundles hold its report since then.",
            )
        page = await service.off_loop(found.read_bytes)
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": _REPORT})

    @router.get("/healthz", responses=answer(Health))
    async def alive() -> Health:
        """Whether the process answers."""
        return Health(status="alive")

    @router.get("/readyz", responses=answer(Health))
    async def ready() -> Health:
        """Whether the model answers: a real inference passed; never waits in the queue."""
        await service.check_ready()
        return Health(status="ready")

    return router


def category_nodes(classes: Iterable[str], filed: Mapping[str, int] | None) -> list[CategoryNode]:
    """The tree of both, in the order of the names.

    Args:
        classes: paths of the model's classes.
        filed: products per category path; None without a catalog.
    """
    known = frozenset(classes)
    products: Counter[str] = Counter()
    for path, count in (filed or {}).items():
        for node in ancestors(path):
            products[node] += count
    nodes: dict[str, CategoryNode] = {}
    roots: list[CategoryNode] = []
    for path in sorted({node for leaf in (*known, *products) for node in ancestors(leaf)}):
        parent, _, name = path.rpartition("/")
        nodes[path] = CategoryNode(
            name=name,
            path=path,
            is_class=path in known,
            products=None if filed is None else products[path],
            children=[],
        )
        (nodes[parent].children if parent else roots).append(nodes[path])
    return roots
