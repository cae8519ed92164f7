"""Before any call: whose key is it, may it do this, not too often; after a write: the audit log."""

import math
import time
from typing import Final

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asgi

from serve.access.audit import AuditLog
from serve.access.keys import ApiKey, KeyRing, Scope
from serve.problems import problem

# What shows nothing of the shop: probes, the description of the calls, the pages' own files.
_OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
_OPEN_BELOW: Final = ("/static-offline-docs/",)
# Calls that take a body and change nothing. Any that is not known to is one that writes.
_READING_POSTS: Final = frozenset(
    {"/v1/classify", "/v1/compare", "/v1/categorize", "/v1/tags", "/v1/search"}
)
_READING: Final = frozenset({"GET", "HEAD"})


class Guard:
    """Lets through what the caller's key allows.

    Args:
        app: what is guarded.
        keys: known keys; without them every caller may do everything.
        rate: requests that a key may make whose entry names none; no limit if not given.
        audit: is told of every call that writes, refused ones too.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing | None = None,
        rate: str | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self._app = app
        self._keys = keys
        self._rate = rate
        self._audit = audit
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key, refusal = self._admit(scope)
        app: ASGIApp = self._app if refusal is None else refusal
        if self._audit is None or needed(scope) != "write":
            await app(scope, receive, send)
            return
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            self._audit.write(scope, None if key is None else key.name, status)

    def _admit(self, scope: Asgi) -> tuple[ApiKey | None, Response | None]:
        """The caller's key, and why it is refused."""
        if self._keys is None or is_open(scope):
            return None, None
        presented = _presented(scope)
        key = None if presented is None else self._keys.find(presented)
        if key is None:
            return None, _unauthorized(presented is not None)
        if needed(scope) == "write" and key.scope != "write":
            return key, problem(
                "forbidden",
                f"the key {key.name} may only read.",
                where=scope["path"],
                fix="Use a key whose scope is write.",
            )
        return key, self._too_many(key)

    def _too_many(self, key: ApiKey) -> Response | None:
        rate = key.rate or self._rate
        if rate is None:
            return None
        item = limits.parse(rate)
        if self._limiter.hit(item, key.name):
            return None
        reset = self._limiter.get_window_stats(item, key.name).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        return problem(
            "rate-limited",
            f"the key {key.name} may make {rate} requests at each replica.",
            fix=f"Wait {wait} s.",
            headers={"Retry-After": str(wait)},
        )


def is_open(scope: Asgi) -> bool:
    """Whether a request needs no key."""
    path: str = scope["path"]
    return scope["method"] in _READING and (path in _OPEN or path.startswith(_OPEN_BELOW))


def needed(scope: Asgi) -> Scope:
    """What a request needs its key to allow."""
    method, path = scope["method"], scope["path"]
    if method in _READING or (method == "POST" and path in _READING_POSTS):
        return "read"
    return "write"


def _presented(scope: Asgi) -> bytes | None:
    """The key of `Authorization: Bearer KEY` or of `X-API-Key: KEY`."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, key = bytes(value).partition(b" ")
            return key.strip() if scheme.lower() == b"bearer" else b""
        if name == b"x-api-key":
            return bytes(value).strip()
    return None


def _unauthorized(presented: bool) -> Response:
    return problem(
        "unauthorized",
        "the API key is not known." if presented else "an API key is needed.",
        where="Authorization",
        fix="Send Authorization: Bearer KEY.",
        headers={"WWW-Authenticate": "Bearer"},
    )
