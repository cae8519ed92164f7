"""`/v1/products/{id}` and `POST /v1/search`: the live catalog over HTTP."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from catalog.errors import InvalidRequest, UnknownProduct
from catalog.match import MatchModel, score_pair
from catalog.product import Product, check_id
from serve.access.audit import note
from serve.api.asked import Asked, json_part, of_body, of_form, read_body, require_something
from serve.api.documented import answer, body
from serve.api.schemas import (
    Found,
    ListedProduct,
    ProductAnswer,
    ProductsAnswer,
    SearchAnswer,
    SearchBody,
    StoredProductBody,
)
from serve.bodies import Form
from serve.catalog_door import CatalogDoor, Near
from serve.service import Service

_ATTRIBUTES = TypeAdapter(dict[str, str])
_FILTER = TypeAdapter(dict[str, str | list[str]])
_STORED_TEXTS = ("name", "category", "attributes")
_FARTHEST = 2**31 - 1
_SEARCH_TEXTS = ("name", "text", "filter", "limit")


def product_routes(service: Service) -> APIRouter:
    """The calls, bound to a replica's service."""
    router = APIRouter()

    # An id may hold slashes (percent-encoded or not), hence `:path`.
    @router.put(
        "/v1/products/{product_id:path}",
        responses=answer(ProductAnswer),
        openapi_extra=body(StoredProductBody, texts=_STORED_TEXTS, files=("image",)),
    )
    async def put(product_id: str, request: Request) -> ProductAnswer:
        """Insert or replace a product; the very next search finds it."""
        check_id(product_id)
        catalog = service.catalog
        found = await read_body(
            request, StoredProductBody, service.settings, (*_STORED_TEXTS, "image")
        )
        if isinstance(found, Form):
            asked, category = of_form(found), found.texts.get("category")
            attributes = json_part(found, "attributes", _ATTRIBUTES) or {}
        else:
            asked, category = await of_body(found, service), found.category
            attributes = found.attributes
        note(request.scope, product=product_id, category=category, photos=len(asked.photos))
        return _shown(await store(service, catalog, product_id, asked, category, attributes))

    @router.get("/v1/products", responses=answer(ProductsAnswer))
    async def browse(
        category: Annotated[str | None, Query(description="at or below this path")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        offset: Annotated[int, Query(ge=0, le=_FARTHEST)] = 0,
    ) -> ProductsAnswer:
        """Go through the catalog's products, or those of a category."""
        where = None if category is None else {"category": category}
        total, products = await service.catalog.browse(limit, offset, where)
        listed = [
            ListedProduct(
                id=one.id, name=one.name, category=one.category, attributes=dict(one.attributes)
            )
            for one in products
        ]
        return ProductsAnswer(total=total, products=listed)

    # An id may hold slashes, so it cannot be followed by the number of the photo.
    @router.get("/v1/products:photo", responses={200: {"content": {"image/jpeg": {}}}})
    async def photo(
        product_id: Annotated[str, Query(alias="id")],
        number: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """Show a photo of a product, as a small JPEG."""
        found = await service.catalog.photo(check_id(product_id), number)
        if found is None:
            raise UnknownProduct(
                f"there is no photo {number} of it, counted from 0.",
                where=f"product {product_id[:40]!r}",
            )
        return Response(found, media_type="image/jpeg")

    @router.get("/v1/products/{product_id:path}", responses=answer(ProductAnswer))
    async def get(product_id: str) -> ProductAnswer:
        """A product's facts and how many photos the catalog keeps of it."""
        product = await service.catalog.get(check_id(product_id))
        if product is None:
            raise _unknown(product_id)
        return _shown(product)

    @router.delete(
        "/v1/products/{product_id:path}",
        status_code=204,
        responses={"default": answer(ProductAnswer)["default"]},
    )
    async def delete(product_id: str, request: Request) -> Response:
        """Remove a product."""
        note(request.scope, product=product_id)
        if not await service.catalog.delete(check_id(product_id)):
            raise _unknown(product_id)
        return Response(status_code=204)

    @router.post(
        "/v1/search",
        responses=answer(SearchAnswer),
        openapi_extra=body(SearchBody, texts=_SEARCH_TEXTS, files=("image",)),
    )
    async def search(request: Request) -> SearchAnswer:
        """Find products by photo, by name, by words, or by all of them at once."""
        catalog = service.catalog
        asked, sought = await _read_search(request, service)
        if not (asked.photos or asked.name or sought.text):
            raise InvalidRequest(
                "nothing to search for.", where="body", fix="Give `product`, `text` or both."
            )
        model = service.model
        embedding = await model.embed(asked.photos, asked.names)
        text = sought.text or asked.name
        near = await catalog.search(
            embedding, model.document.embedding_id, text, sought.limit, sought.filter
        )
        name = asked.name or sought.text
        results = await service.off_loop(_scored, near, name, model.match_model)
        if asked.photos or asked.name:  # words alone stay in the order of the full-text index
            results.sort(key=lambda found: (-found.score, found.id))
        return SearchAnswer(results=results[: sought.limit])

    return router


async def store(
    service: Service,
    catalog: CatalogDoor,
    product_id: str,
    asked: Asked,
    category: str | None,
    attributes: Mapping[str, str],
) -> Product:
    """Keep a product in the catalog, with the embedding and small copies of its photos.

    Raises:
        InvalidRequest: it has neither name nor photo, or the catalog cannot keep it.
        InvalidImage, ImageTooLarge: a photo cannot be read.
        Overloaded: the queue is full.
    """
    require_something(asked)
    model = service.model
    product = Product(
        id=product_id,
        name=asked.name,
        category=category,
        attributes=attributes,
        embedding=await model.embed(asked.photos, asked.names),
        photos=await service.small_copies(asked.photos),
    )
    await catalog.put(product, model.document.embedding_id)
    return product


async def _read_search(request: Request, service: Service) -> tuple[Asked, SearchBody]:
    found = await read_body(request, SearchBody, service.settings, (*_SEARCH_TEXTS, "image"))
    if not isinstance(found, Form):
        if found.product is None:
            return Asked(None, (), ()), found
        asked = await of_body(found.product, service, "product.")
        return require_something(asked), found
    limit = found.texts.get("limit", "10")
    if not limit.isdecimal() or len(limit) > 3 or not 1 <= int(limit) <= 100:
        raise InvalidRequest("not a number from 1 to 100.", where="limit")
    sought = SearchBody(
        text=(found.texts.get("text") or "")[:1_000] or None,
        filter=json_part(found, "filter", _FILTER),
        limit=int(limit),
    )
    return of_form(found), sought


def _scored(near: list[Near], name: str | None, model: MatchModel) -> list[Found]:
    named = [one.product.name for one in near if name and one.product.name]
    compared = iter(model.names.compare_all(name or "", named))
    scored = []
    for one in near:
        product = one.product
        match = score_pair(
            model, one.image_similarity, next(compared) if name and product.name else None
        )
        scored.append(
            Found(
                id=product.id,
                name=product.name,
                category=product.category,
                attributes=dict(product.attributes),
                image_similarity=match.image_similarity,
                name_similarity=match.name_similarity,
                score=match.score,
            )
        )
    return scored


def _shown(product: Product) -> ProductAnswer:
    return ProductAnswer(
        id=product.id,
        name=product.name,
        category=product.category,
        attributes=dict(product.attributes),
        photos=len(product.photos),
    )


def _unknown(product_id: str) -> UnknownProduct:
    return UnknownProduct(
        "the catalog holds no such product.",
        where=f"product {product_id[:40]!r}",
        fix="PUT it first, or check the id.",
    )
