"""Before any call: whose key is it, may it do this, not too often; after a write: the audit log."""

import math
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.access.audit import AuditLog, noted
from serve.access.keys import ApiKey, KeyRing, Permission
from serve.access.rates import parse_rate
from serve.problems import problem
from serve.sending import Sending

# What shows nothing of the shop: probes, the description of the calls, the pages' own files.
_OPEN: Final = frozenset(
    {"/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"}
)
_OPEN_BELOW: Final = ("/page/", "/static-offline-docs/")
# Calls that take a body and change nothing; categorize leaves its answer to people only where the
# caller may write. Any call that is not known to read needs a key that may write.
_READING_POSTS: Final = frozenset(
    {"/v1/classify", "/v1/compare", "/v1/categorize", "/v1/tags", "/v1/search"}
)
_READING: Final = frozenset({"GET", "HEAD"})
_MAY_WRITE: Final = "catalens.may_write"


class Guard:
    """Lets through what the caller may do.

    Args:
        app: what is guarded.
        keys: known keys; without them everybody may do everything, but pages of other origins.
        rate: of requests of a key whose entry names none; no limit if not given.
        audit: is told of every call that writes, of those refused to a key too.
        hosts: names that callers may use for this server; any if there are none.
        origins: whose pages may call from a browser.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing | None = None,
        rate: str | None = None,
        audit: AuditLog | None = None,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._keys = keys
        self._rate = rate
        self._audit = audit
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        needed = permission_needed(scope)
        key, refusal = self._admit(scope, needed)
        scope[_MAY_WRITE] = self._keys is None or (key is not None and key.scope == "write")
        app: ASGIApp = self._app if refusal is None else refusal
        if self._audit is None:
            await app(scope, receive, send)
            return
        sending = Sending(send)
        try:
            await app(scope, receive, sending)
        except ClientDisconnect:
            sending.status = 0  # what was sent to nobody
            raise
        finally:
            # What somebody without a key tried is not written: anybody could fill the disk so.
            known = key is not None or refusal is None
            if known and (needed == "write" or noted(scope)):
                self._audit.write(scope, None if key is None else key.name, sending.status)

    def _admit(self, scope: Scope, needed: Permission) -> tuple[ApiKey | None, Response | None]:
        """The caller's key, and why it is refused."""
        if self._keys is None:
            return None, self._of_another_page(scope)
        if is_open(scope):
            return None, None
        presented = _presented(scope)
        key = None if presented is None else self._keys.find(presented)
        if key is None:
            return None, _unauthorized(presented is not None)
        too_many = self._too_many(key)
        if too_many is not None:
            return key, too_many
        if needed == "write" and key.scope != "write":
            return key, problem(
                "forbidden",
                f"the key {key.name} may only read.",
                where=scope["path"],
                fix="Use a key whose scope is write.",
            )
        return key, None

    def _too_many(self, key: ApiKey) -> Response | None:
        rate = key.rate or self._rate
        if rate is None:
            return None
        item = parse_rate(rate)
        if self._limiter.hit(item, key.name):
            return None
        reset = self._limiter.get_window_stats(item, key.name).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        return problem(
            "rate-limited",
            f"the key {key.name} is limited to {rate} at each replica.",
            fix=f"Wait {wait} s.",
            headers={"Retry-After": str(wait)},
        )

    def _of_another_page(self, scope: Scope) -> Response | None:
        """Why a browser's request is refused where no key tells pages apart.

        A page of another origin can send forms, and one whose name leads to this machine (DNS
        rebinding) can do all; neither can choose what the browser says of it.
        """
        headers = dict(scope["headers"])
        host = str(headers.get(b"host", b""), "latin-1").lower()
        if self._hosts and _name(host) not in self._hosts:
            return problem(
                "forbidden",
                f"this server is not called {host[:100]}.",
                where="Host",
                fix="Use one of its names, or add this one to CATALENS_HOSTS.",
            )
        origin = headers.get(b"origin")
        if scope["method"] in _READING or origin is None:
            return None
        said = str(origin, "latin-1").lower()
        if said in self._origins or _netloc(said) == host:
            return None
        return problem(
            "forbidden",
            "pages of other origins may not call.",
            where="Origin",
            fix="Add it to CATALENS_CORS_ORIGINS.",
        )


def may_write(scope: Scope) -> bool:
    """Whether who sent a request may change the catalog; outside of a guard everybody may."""
    return bool(scope.get(_MAY_WRITE, True))


def is_open(scope: Scope) -> bool:
    """Whether a request needs no key."""
    path: str = scope["path"]
    return scope["method"] in _READING and (path in _OPEN or path.startswith(_OPEN_BELOW))


def permission_needed(scope: Scope) -> Permission:
    """What a request's key must allow."""
    method, path = scope["method"], scope["path"]
    infers = path.startswith("/v2/models/") and path.endswith("/infer")
    if method in _READING or (method == "POST" and (path in _READING_POSTS or infers)):
        return "read"
    return "write"


def _presented(scope: Scope) -> bytes | None:
    """The key of `X-API-Key: KEY` or of `Authorization: Bearer KEY`."""
    headers = dict(scope["headers"])
    if b"x-api-key" in headers:
        return bytes(headers[b"x-api-key"]).strip()
    scheme, _, key = bytes(headers.get(b"authorization", b"")).partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else None


def _name(host: str) -> str:
    """Without the port."""
    return host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host


def _netloc(origin: str) -> str | None:
    """Host and port, or None where there are none to read."""
    try:
        return urlsplit(origin).netloc
    except ValueError:  # http://[
        return None


def _unauthorized(presented: bool) -> Response:
    return problem(
        "unauthorized",
        "the API key is not known." if presented else "an API key is needed.",
        where="Authorization",
        fix="Send Authorization: Bearer KEY.",
        headers={"WWW-Authenticate": "Bearer"},
    )
