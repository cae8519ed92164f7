"""A small client for a running server: `Client("http://127.0.0.1:8000").classify([photo])`.

Every call may be repeated without harm, so one that met a dropped connection, or the proxy's own
text/plain 500 in the place of an answer, is sent once more.
"""

import base64
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict

Decision = Literal["auto", "review", "unknown"]


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


class _Answer(BaseModel):
    # A newer server may say more.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class PathProbability(_Answer):
    """A category and its probability."""

    path: str
    probability: float


class Placed(PathProbability):
    """The category that is given, and whether it needs a person."""

    decision: Decision


class TrainingPhoto(_Answer):
    """A training photo that is like the one asked about; ``photo`` is a small JPEG in base64."""

    image: str
    path: str
    similarity: float
    photo: str


class Explanation(_Answer):
    """Why a photo got its answer; ``saliency`` is a JPEG in base64, bright where it mattered."""

    path: str
    saliency: str
    nearest: list[TrainingPhoto]


class TagProbability(_Answer):
    """A tag and its probability, which does not depend on other tags."""

    tag: str
    probability: float


class Classified(_Answer):
    """One photo's answer and the ranked categories.

    Tags come with a model that learnt any, the explanation where it was asked for.
    """

    answer: Placed
    categories: list[PathProbability]
    tags: list[TagProbability] | None = None
    explanation: Explanation | None = None


class Classification(_Answer):
    """The answers, in the order of the photos, and the version of the bundle that gave them."""

    model: str
    results: list[Classified]


class Comparison(_Answer):
    """How alike two products are; a similarity is None where a side lacks the photo or name."""

    image_similarity: float | None
    name_similarity: float | None
    name_reasons: list[str]
    score: float
    decision: Literal["same", "review", "different"]


class Evidence(_Answer):
    """A product of the catalog that speaks for a category."""

    id: str
    name: str | None
    path: str
    image_similarity: float | None
    name_similarity: float | None
    score: float


class Categorisation(_Answer):
    """Where a product belongs; ``path`` is None when nothing speaks for any."""

    path: str | None
    score: float
    decision: Decision
    alternatives: list[PathProbability]
    evidence: list[Evidence]
    review: str | None = None


class StoredProduct(_Answer):
    """A product as the catalog keeps it; ``photos`` is how many."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]
    photos: int


class Found(_Answer):
    """A product that a search found."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]
    image_similarity: float | None
    name_similarity: float | None
    score: float


class Swap(_Answer):
    """What became of the bundle that was asked for last."""

    state: Literal["loading", "active", "refused"]
    bundle: str
    reason: str | None


class Model(_Answer):
    """The bundle that answers."""

    model: str
    bundle: str
    classes: int
    variant: str
    device: str
    embedding_id: str
    certainty: float
    swap: Swap


_A = TypeVar("_A", bound=_Answer)


class Client:
    """Talks to one server; may be used by several threads.

    Args:
        url: of the server.
        timeout: of one call, seconds.
        transport: for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout, transport=transport)

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
        precision: float = 0.95,
    ) -> Categorisation:
        """Where in the catalog a new product belongs.

        Args:
            photo: encoded.
            name: as the shop writes it.
            product_id: under which a person's decision is filed.
            precision: how often answers whose decision is `auto` must be right, 0.5 to 1.
        """
        body = {"product": _product(name, photo), "id": product_id}
        params = {"precision": precision}
        return self._ask(Categorisation, "/v1/categorize", params=params, json=body)

    def tags(self, name: str) -> list[PathProbability]:
        """Categories that a name speaks for, best first."""
        return self._ask(_Tags, "/v1/tags", json={"name": name}).tags

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
        return self._ask(_Found, "/v1/search", json=body).results

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


class _Tags(_Answer):
    tags: list[PathProbability]


class _Found(_Answer):
    results: list[Found]


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
