"""What a client may ask a server for: each call as a value, sent by `Client` or `AsyncClient`."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from catalens.answers import (
    Categorisation,
    CategoryNode,
    CategoryTree,
    Classification,
    Comparison,
    Found,
    Imported,
    Model,
    Moved,
    PathProbability,
    Review,
    ReviewPage,
    SearchAnswer,
    StoredProduct,
    Tags,
)

_PRECISION: Final = 0.95  # the server's own: older ones do not know it, so it is not sent
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Call(Generic[_Result]):
    """A request, and what to make of its answer.

    Attributes:
        path: of the call.
        read: the result from the body of a good answer.
        method: of HTTP.
        request: more of what httpx takes.
        repeats: it may be sent once more where no answer came.
        gone_is_done: that there is nothing any more is what was asked for, the second time.
    """

    path: str
    read: Callable[[bytes], _Result]
    method: str = "POST"
    request: Mapping[str, Any] = field(default_factory=dict)
    repeats: bool = True
    gone_is_done: bool = False


def classify(
    photos: Sequence[bytes],
    *,
    top_k: int = 5,
    level: int | None = None,
    explain: bool = False,
) -> Call[Classification]:
    """Which categories encoded photos show.

    Args:
        photos: one or more.
        top_k: ranked categories per photo.
        level: depth of the categories; as deep as is certain if not given.
        explain: say why; of one photo only.
    """
    params: dict[str, int | str] = {"top_k": top_k}
    if level is not None:
        params["level"] = level
    if explain:
        params["explain"] = "true"
    request: dict[str, Any] = {"params": params}
    if len(photos) == 1:
        request |= {
            "content": photos[0],
            "headers": {"Content-Type": "application/octet-stream"},
        }
    else:
        request["files"] = [("image", (f"{place}", photo)) for place, photo in enumerate(photos)]
    return Call("/v1/classify", _reads(Classification), request=request)


def compare(
    *,
    left_photo: bytes | None = None,
    left_name: str | None = None,
    right_photo: bytes | None = None,
    right_name: str | None = None,
) -> Call[Comparison]:
    """Whether two products are one, from photos, names or both."""
    sides = {
        "left": _product(left_name, left_photo),
        "right": _product(right_name, right_photo),
    }
    return Call("/v1/compare", _reads(Comparison), request={"json": sides})


def categorize(
    *,
    photo: bytes | None = None,
    name: str | None = None,
    product_id: str | None = None,
    precision: float = _PRECISION,
) -> Call[Categorisation]:
    """Where in the catalog a new product belongs.

    Args:
        photo: encoded.
        name: as the shop writes it.
        product_id: under which a person's decision is filed.
        precision: how often answers whose decision is `auto` must be right, 0.5 to 1.
    """
    body: dict[str, Any] = {"product": _product(name, photo)}
    if product_id is not None:
        body["id"] = product_id
    params = {} if precision == _PRECISION else {"precision": precision}
    request = {"params": params, "json": body}
    return Call("/v1/categorize", _reads(Categorisation), request=request)


def tags(name: str) -> Call[list[PathProbability]]:
    """Categories that a name speaks for, best first."""

    def read(body: bytes) -> list[PathProbability]:
        return Tags.model_validate_json(body).tags

    return Call("/v1/tags", read, request={"json": {"name": name}})


def search(
    *,
    photo: bytes | None = None,
    name: str | None = None,
    text: str | None = None,
    filter: Mapping[str, str | Sequence[str]] | None = None,
    limit: int = 10,
) -> Call[list[Found]]:
    """Products of the catalog, best first.

    Args:
        photo: of the product sought.
        name: of the product sought.
        text: words to look for in names.
        filter: such as ``{"category": "Apparel", "brand": ["Nike", "Puma"]}``.
        limit: products at most.
    """
    body: dict[str, Any] = {"limit": limit}
    if photo is not None or name is not None:
        body["product"] = _product(name, photo)
    if text is not None:
        body["text"] = text
    if filter is not None:
        body["filter"] = dict(filter)

    def read(answer: bytes) -> list[Found]:
        return SearchAnswer.model_validate_json(answer).results

    return Call("/v1/search", read, request={"json": body})


def put_product(
    product_id: str,
    *,
    photo: bytes | None = None,
    name: str | None = None,
    category: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Call[StoredProduct]:
    """Insert or replace a product; the very next search finds it."""
    body = _product(name, photo) | {"category": category, "attributes": dict(attributes or {})}
    return Call(_address(product_id), _reads(StoredProduct), "PUT", {"json": body})


def get_product(product_id: str) -> Call[StoredProduct]:
    """A product's facts.

    Raises:
        ClientError: unknown-product.
    """
    return Call(_address(product_id), _reads(StoredProduct), "GET")


def delete_product(product_id: str) -> Call[None]:
    """Remove a product.

    Raises:
        ClientError: unknown-product.
    """
    # After a repeat, "unknown" says that the first try did it.
    return Call(_address(product_id), lambda _: None, "DELETE", gone_is_done=True)


def import_products(products: Iterable[Mapping[str, Any]]) -> Call[Imported]:
    """Insert or replace any number of products; a bad one costs only itself.

    Args:
        products: each with ``id`` and what `put_product` takes, its ``image`` encoded bytes.
    """

    def lines() -> Iterator[bytes]:
        for product in products:
            line = dict(product)
            if isinstance(line.get("image"), bytes):
                line["image"] = base64.b64encode(line["image"]).decode()
            yield json.dumps(line).encode() + b"\n"

    request = {"content": lines(), "headers": {"Content-Type": "application/x-ndjson"}}
    # The products may be gone by then: it is not sent again.
    return Call("/v1/products:import", _reads(Imported), request=request, repeats=False)


def move_category(old: str, new: str) -> Call[int]:
    """Rename, merge or move a category with all below it; how many products it had."""

    def read(body: bytes) -> int:
        return Moved.model_validate_json(body).products

    request = {"json": {"old": old, "new": new}}
    # The second time there would be none left to count.
    return Call("/v1/categories:move", read, request=request, repeats=False)


def reviews(
    status: Literal["open", "decided", "all"] = "open",
    *,
    limit: int = 50,
    after: str | None = None,
) -> Call[ReviewPage]:
    """Answers that wait for a person, or that one has decided.

    Args:
        status: which of them.
        limit: reviews of a page at most.
        after: ``next`` of the page before.
    """
    params: dict[str, str | int] = {"status": status, "limit": limit}
    if after is not None:
        params["after"] = after
    return Call("/v1/reviews", _reads(ReviewPage), "GET", {"params": params})


def review_photo(review_id: str, number: int = 0) -> Call[bytes]:
    """A photo of the product that waits, as a small JPEG; counted from 0."""
    path = f"/v1/reviews/{quote(review_id, safe='')}/photos/{number}"
    return Call(path, lambda body: body, "GET")


def accept_review(review_id: str) -> Call[Review]:
    """The answer is right."""
    return Call(_review(review_id, "accept"), _reads(Review))


def correct_review(review_id: str, path: str) -> Call[Review]:
    """The product belongs there."""
    return Call(_review(review_id, "correct"), _reads(Review), request={"json": {"path": path}})


def undo_review(review_id: str) -> Call[Review]:
    """Take back what was said."""
    return Call(_review(review_id, "undo"), _reads(Review))


def categories() -> Call[list[str]]:
    """Every category path of model and catalog, in the order of the tree."""

    def below(nodes: list[CategoryNode]) -> list[str]:
        return [path for node in nodes for path in (node.path, *below(node.children))]

    def read(body: bytes) -> list[str]:
        return below(CategoryTree.model_validate_json(body).categories)

    return Call("/v1/categories", read, "GET")


def model() -> Call[Model]:
    """The bundle that answers, and whether another is loading or was refused."""
    return Call("/v1/model", _reads(Model), "GET")


_Shape = TypeVar("_Shape", bound=BaseModel)


def _reads(shape: type[_Shape]) -> Callable[[bytes], _Shape]:
    return shape.model_validate_json


def _product(name: str | None, photo: bytes | None) -> dict[str, Any]:
    product = {} if name is None else {"name": name}
    if photo is not None:
        product["image"] = base64.b64encode(photo).decode()
    return product


def _address(product_id: str) -> str:
    return f"/v1/products/{quote(product_id, safe='')}"


def _review(review_id: str, verb: str) -> str:
    return f"/v1/reviews/{quote(review_id, safe='')}:{verb}"
