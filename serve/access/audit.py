"""The audit log: a line of JSON for every call that changes the catalog, or tried to with a key."""

import fcntl
import json
import logging
import logging.handlers
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.types import Scope

STDOUT: Final = "-"
_FACTS: Final = "catalens.audit"
_LONGEST: Final = 512  # characters of a text in a line
_ROTATED_AT: Final = 64 * 2**20
_logger = logging.getLogger(__name__)


def note(scope: Scope, **facts: object) -> None:
    """Add what a call is about, such as the product's id, to its line in the log."""
    scope.setdefault(_FACTS, {}).update(facts)


def noted(scope: Scope) -> bool:
    """Whether a call has said what it changes."""
    return _FACTS in scope


class AuditLog:
    """Appends to a file, which is moved to `.1` when it is large, or writes to standard output.

    A line that cannot be written is told in the server's own log; the call goes on.

    Args:
        path: of the file, or `-` for standard output.
        rotated_at: bytes of the file, for tests.
    """

    def __init__(self, path: str, rotated_at: int = _ROTATED_AT) -> None:
        self._path = None if path == STDOUT else Path(path)
        self._rotated_at = rotated_at
        handler: logging.Handler
        if self._path is None:
            # Not sys.stdout, which Ray puts its own logger into.
            handler = logging.StreamHandler(os.fdopen(1, "w", encoding="utf-8", closefd=False))
        else:
            handler = logging.handlers.WatchedFileHandler(self._path, encoding="utf-8")
        handler.handleError = _failed  # type: ignore[method-assign, assignment]
        # No logger of the hierarchy: Ray gives those its own levels and handlers.
        self._lines = logging.Logger("audit", logging.INFO)
        self._lines.addHandler(handler)

    def write(self, scope: Scope, key: str | None, status: int) -> None:
        """Write a line.

        Args:
            scope: of the request.
            key: name of the API key; None where there was none.
            status: of the answer; 0 where the caller went away.
        """
        client: tuple[str, int] | None = scope.get("client")
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "key": key,
            "client": client and client[0],
            "forwarded_for": _forwarded_for(scope),
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            **scope.get(_FACTS, {}),
        }
        short = {name: _short(value) for name, value in line.items()}
        try:
            self._lines.info(json.dumps(short, ensure_ascii=True, default=str))
            self._rotate()
        except OSError as error:
            _logger.error("the audit log cannot be written: %s", error)

    def _rotate(self) -> None:
        """Move a large file away, once, whichever process of several comes first."""
        if self._path is None or self._path.stat().st_size < self._rotated_at:
            return
        with open(f"{self._path}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._path.exists() and self._path.stat().st_size >= self._rotated_at:
                os.replace(self._path, f"{self._path}.1")


def _failed(_: logging.LogRecord) -> None:
    _logger.exception("the audit log cannot be written")


def _short(value: object) -> object:
    return value[:_LONGEST] if isinstance(value, str) else value


def _forwarded_for(scope: Scope) -> str | None:
    """What proxies say, the nearest one last; what comes before that, anybody may write."""
    found = [
        str(value, "latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"
    ]
    return ", ".join(found)[-_LONGEST:] or None
