"""Small clients for a running server: `Client("http://127.0.0.1:8000").classify([photo])`.

`AsyncClient` has the same calls to be awaited. Every call may be repeated without harm, so one that
met a refused or dropped connection, or the proxy's own text/plain 500 in the place of an answer, is
sent once more, after a moment in which a proxy that was killed is replaced.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, get_args

import httpx
from pydantic import ValidationError

from catalens import calls
from catalens.calls import Call


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

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it comes back from another process."""
        return _made, (self.type, self.detail, self.status, self.where, self.fix)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.detail} {self.fix}".rstrip()


def _made(type: str, detail: str, status: int | None, where: str, fix: str) -> ClientError:
    return ClientError(type, detail, status=status, where=where, fix=fix)


_P = ParamSpec("_P")
_R = TypeVar("_R")
_M = TypeVar("_M", bound=Callable[..., Any])
_DROPPED: Final = (
    httpx.ConnectError,
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
)
_PAUSE_S: Final = 0.25


def _now(call: Callable[_P, Call[_R]]) -> Callable[Concatenate[Any, _P], _R]:
    """The call as a method of `Client`."""

    @wraps(call)
    def method(self: "Client", *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return self._send(call(*args, **kwargs))

    return _shown(method, call)


def _awaited(
    call: Callable[_P, Call[_R]],
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, _R]]:
    """The call as a method of `AsyncClient`."""

    @wraps(call)
    async def method(self: "AsyncClient", *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return await self._send(call(*args, **kwargs))

    return _shown(method, call)


def _shown(method: _M, call: Callable[..., Any]) -> _M:
    """The method with the signature that it is called by: `wraps` has left out `self`."""
    found = inspect.signature(call)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    result = get_args(found.return_annotation)
    vars(method)["__signature__"] = found.replace(
        parameters=[own, *found.parameters.values()],
        return_annotation=result[0] if result else found.return_annotation,
    )
    return method


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
        self._http = httpx.Client(
            base_url=url, headers=_headers(key), timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
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

    classify = _now(calls.classify)
    compare = _now(calls.compare)
    categorize = _now(calls.categorize)
    tags = _now(calls.tags)
    search = _now(calls.search)
    put_product = _now(calls.put_product)
    get_product = _now(calls.get_product)
    delete_product = _now(calls.delete_product)
    import_products = _now(calls.import_products)
    move_category = _now(calls.move_category)
    reviews = _now(calls.reviews)
    review_photo = _now(calls.review_photo)
    accept_review = _now(calls.accept_review)
    correct_review = _now(calls.correct_review)
    undo_review = _now(calls.undo_review)
    categories = _now(calls.categories)
    model = _now(calls.model)

    def _send(self, call: Call[_R]) -> _R:
        for again in (False, True):
            last = again or not call.repeats
            if again:
                time.sleep(_PAUSE_S)
            try:
                response = self._http.request(call.method, call.path, **call.request)
            except httpx.HTTPError as error:
                if last or not isinstance(error, _DROPPED):
                    raise _unreachable(error) from error
            else:
                if last or not _from_proxy(response):
                    return _result(call, response, again)
        raise AssertionError("the second try ends the loop")


class AsyncClient:
    """As `Client`, for asyncio: its calls are awaited.

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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers=_headers(key), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    classify = _awaited(calls.classify)
    compare = _awaited(calls.compare)
    categorize = _awaited(calls.categorize)
    tags = _awaited(calls.tags)
    search = _awaited(calls.search)
    put_product = _awaited(calls.put_product)
    get_product = _awaited(calls.get_product)
    delete_product = _awaited(calls.delete_product)
    import_products = _awaited(calls.import_products)
    move_category = _awaited(calls.move_category)
    reviews = _awaited(calls.reviews)
    review_photo = _awaited(calls.review_photo)
    accept_review = _awaited(calls.accept_review)
    correct_review = _awaited(calls.correct_review)
    undo_review = _awaited(calls.undo_review)
    categories = _awaited(calls.categories)
    model = _awaited(calls.model)

    async def _send(self, call: Call[_R]) -> _R:
        request = dict(call.request)
        if isinstance(request.get("content"), Iterator):
            request["content"] = _asynchronous(request["content"])
        for again in (False, True):
            last = again or not call.repeats
            if again:
                await asyncio.sleep(_PAUSE_S)
            try:
                response = await self._http.request(call.method, call.path, **request)
            except httpx.HTTPError as error:
                if last or not isinstance(error, _DROPPED):
                    raise _unreachable(error) from error
            else:
                if last or not _from_proxy(response):
                    return _result(call, response, again)
        raise AssertionError("the second try ends the loop")


async def _asynchronous(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


def _headers(key: str | None) -> dict[str, str]:
    key = (key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise ClientError("invalid-request", "the API key has characters that no key has.")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _result(call: Call[_R], response: httpx.Response, again: bool) -> _R:
    gone = call.gone_is_done and again and response.status_code == 404
    if not response.is_success and not gone:
        raise _error(response)
    try:
        return call.read(response.content)
    except ValidationError:  # a login page, for one
        raise _no_answer(response) from None


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
        return _no_answer(response)


def _no_answer(response: httpx.Response) -> ClientError:
    return ClientError(
        "not-an-answer",
        f"HTTP {response.status_code}: {response.text[:200]}",
        status=response.status_code,
    )
