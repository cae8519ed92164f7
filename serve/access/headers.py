"""What every answer tells a browser: run nothing here that is not ours, guess no types."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_API: Final = "default-src 'none'; frame-ancestors 'none'"
# The report of a training, shown in a frame, has its style in itself.
_PAGE: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "frame-src blob:; frame-ancestors 'none'"
)
# Swagger UI starts by a script in its page.
_DOCS: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; frame-ancestors 'none'"
)
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds them to the answers of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy, cache = _for(scope["path"])

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                headers.setdefault("Content-Security-Policy", policy)
                headers.setdefault("Cache-Control", cache)
            await send(message)

        await self._app(scope, receive, secured)


def _for(path: str) -> tuple[str, str]:
    """Content-Security-Policy and Cache-Control of what is at a path."""
    if path == "/" or path.startswith("/page/"):
        return _PAGE, "no-cache"  # kept, and asked after each time
    if path == "/docs" or path.startswith("/static-offline-docs/"):
        return _DOCS, "no-cache"
    return _API, "no-store"
