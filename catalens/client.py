"""A small client for a running server: `Client("http://127.0.0.1:8000").classify([photo])`.

Every call may be repeated without harm, so one that met a dropped connection, or the proxy's own
text/plain 500 in the place of an answer, is sent once more.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

import httpx

from catalens.answers import (
    Answer,
    Categorisation,
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


class ClientError(Exception):
    """The server refused, or could not be reached.

    Attributes:
        type: the problem's stable name, such as invalid-image; unreachable without a server.
        status: of HTTP; None without an answer.
        detail: what is wrong.
        where: the field, file or setting it is about.
        fix: what to do.
    """

    def __init__(
        self, type: str, detail: str, *, status: int | None = None, where: str = "", fix: str = ""
    ) -> None:
        super().__init__(type, detail, status, where, fix)
        self.type = type
        self.detail = detail
        self.status = status
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.detail} {self.fix}".rstrip()


_PRECISION: Final = 0.95  # the server's own, which one of before does not take
_A = TypeVar("_A", bound=Answer)


class Client:
    """Talks to one server; may be used by several threads.

    Args:
        url: of the server.
        key: API key, where the server asks for one.
        timeout: of one call, seconds.
        transport: for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        key = (key or "").strip()
        if not key.isascii() or not key.isprintable():
            raise ClientError("invalid-request", "the API key has characters that no key has.")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout, transport=transport
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def classify(
        self,
        photos: Sequence[bytes],
        *,
        top_k: int = 5,
        level: int | None = None,
        explain: bool = False,
    ) -> Classification:
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
        if len(photos) == 1:
            return self._ask(
                Classification,
                "/v1/classify",
                params=params,
                content=photos[0],
                headers={"Content-Type": "application/octet-stream"},
            )
        files = [("image", (f"{place}", photo)) for place, photo in enumerate(photos)]
        return self._ask(Classification, "/v1/classify", params=params, files=files)

    def compare(
        self,
        *,
        left_photo: bytes | None = None,
        left_name: str | None = None,
        right_photo: bytes | None = None,
        right_name: str | None = None,
    ) -> Comparison:
        """Whether two products are one, from photos, names or both."""
        sides = {
            "left": _product(left_name, left_photo),
            "right": _product(right_name, right_photo),
        }
        return self._ask(Comparison, "/v1/compare", json=sides)

    def categorize(
        self,
        *,
        photo: bytes | None = None,
        name: str | None = None,
        product_id: str | None = None,
        precision: float = _PRECISION,
    ) -> Categorisation:
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
        return self._ask(Categorisation, "/v1/categorize", params=params, json=body)

    def tags(self, name: str) -> list[PathProbability]:
        """Categories that a name speaks for, best first."""
        return self._ask(Tags, "/v1/tags", json={"name": name}).tags

    def search(
        self,
        *,
        photo: bytes | None = None,
        name: str | None = None,
        text: str | None = None,
        filter: Mapping[str, str | Sequence[str]] | None = None,
        limit: int = 10,
    ) -> list[Found]:
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
        return self._ask(SearchAnswer, "/v1/search", json=body).results

    def put_product(
        self,
        product_id: str,
        *,
        photo: bytes | None = None,
        name: str | None = None,
        category: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> StoredProduct:
        """Insert or replace a product; the very next search finds it."""
        body = _product(name, photo) | {"category": category, "attributes": dict(attributes or {})}
        return self._ask(StoredProduct, _address(product_id), method="PUT", json=body)

    def get_product(self, product_id: str) -> StoredProduct:
        """A product's facts.

        Raises:
            ClientError: unknown-product.
        """
        return self._ask(StoredProduct, _address(product_id), method="GET")

    def delete_product(self, product_id: str) -> None:
        """Remove a product.

        Raises:
            ClientError: unknown-product.
        """
        response, again = self._send("DELETE", _address(product_id), {})
        # After a repeat, "unknown" says that the first try did it.
        if not response.is_success and not (again and response.status_code == 404):
            raise _error(response)

    def import_products(self, products: Iterable[Mapping[str, Any]]) -> Imported:
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

        headers = {"Content-Type": "application/x-ndjson"}
        try:
            response = self._http.post("/v1/products:import", content=lines(), headers=headers)
        except httpx.HTTPError as error:  # the products may be gone: it is not sent again here
            raise _unreachable(error) from error
        if not response.is_success:
            raise _error(response)
        return Imported.model_validate_json(response.content)

    def move_category(self, old: str, new: str) -> int:
        """Rename, merge or move a category with all below it; how many products it had."""
        return self._ask(Moved, "/v1/categories:move", json={"old": old, "new": new}).products

    def reviews(
        self,
        status: Literal["open", "decided", "all"] = "open",
        *,
        limit: int = 50,
        after: str | None = None,
    ) -> ReviewPage:
        """Answers that wait for a person, or that one has decided.

        Args:
            status: which of them.
            limit: reviews of a page at most.
            after: ``next`` of the page before.
        """
        params: dict[str, str | int] = {"status": status, "limit": limit}
        if after is not None:
            params["after"] = after
        return self._ask(ReviewPage, "/v1/reviews", method="GET", params=params)

    def accept_review(self, review_id: str) -> Review:
        """The answer is right."""
        return self._ask(Review, f"/v1/reviews/{quote(review_id, safe='')}:accept")

    def correct_review(self, review_id: str, path: str) -> Review:
        """The product belongs there."""
        address = f"/v1/reviews/{quote(review_id, safe='')}:correct"
        return self._ask(Review, address, json={"path": path})

    def undo_review(self, review_id: str) -> Review:
        """Take back what was said."""
        return self._ask(Review, f"/v1/reviews/{quote(review_id, safe='')}:undo")

    def model(self) -> Model:
        """The bundle that answers, and whether another is loading or was refused."""
        return self._ask(Model, "/v1/model", method="GET")

    def _ask(self, shape: type[_A], path: str, *, method: str = "POST", **body: Any) -> _A:
        response, _ = self._send(method, path, body)
        if not response.is_success:
            raise _error(response)
        return shape.model_validate_json(response.content)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> tuple[httpx.Response, bool]:
        """The answer, and whether it is that to a second try."""
        for again in (False, True):
            try:
                response = self._http.request(method, path, **body)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                if again:
                    raise _unreachable(error) from error
            except httpx.HTTPError as error:
                raise _unreachable(error) from error
            else:
                if again or not _from_proxy(response):
                    return response, again
        raise AssertionError("the second try ends the loop")


def _product(name: str | None, photo: bytes | None) -> dict[str, Any]:
    product = {} if name is None else {"name": name}
    if photo is not None:
        product["image"] = base64.b64encode(photo).decode()
    return product


def _address(product_id: str) -> str:
    return f"/v1/products/{quote(product_id, safe='')}"


def _from_proxy(response: httpx.Response) -> bool:
    plain = response.headers.get("content-type", "").startswith("text/plain")
    return response.status_code == 500 and plain


def _unreachable(error: Exception) -> ClientError:
    return ClientError(
        "unreachable", f"the server did not answer ({error}).", fix="Check its address."
    )


def _error(response: httpx.Response) -> ClientError:
    try:
        problem = response.json()
        return ClientError(
            problem["type"],
            problem["detail"],
            status=response.status_code,
            where=problem.get("where", ""),
            fix=problem.get("fix", ""),
        )
    except (ValueError, KeyError, TypeError):
        return ClientError(
            "not-an-answer",
            f"HTTP {response.status_code}: {response.text[:200]}",
            status=response.status_code,
        )
