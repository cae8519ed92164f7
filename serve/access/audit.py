"""The audit log: a line of JSON for every call that changes the catalog, or tried to."""

import json
import logging
import logging.handlers
import sys
from datetime import UTC, datetime
from typing import Any, Final

from starlette.types import Scope

STDOUT: Final = "-"
_FACTS: Final = "catalens.audit"


def note(scope: Scope, **facts: object) -> None:
    """Add what a call is about, such as the product's id, to its line in the log."""
    scope.setdefault(_FACTS, {}).update(facts)


class AuditLog:
    """Appends to a file; one that a log rotation has moved away is opened anew.

    Args:
        path: of the file, or `-` for standard output.
    """

    def __init__(self, path: str) -> None:
        handler = (
            logging.StreamHandler(sys.stdout)
            if path == STDOUT
            else logging.handlers.WatchedFileHandler(path, encoding="utf-8")
        )
        # No logger of the hierarchy: Ray gives those its own levels and handlers.
        self._logger = logging.Logger("audit", logging.INFO)
        self._logger.addHandler(handler)

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
        self._logger.info(json.dumps(line, ensure_ascii=True, default=str))


def _forwarded_for(scope: Scope) -> str | None:
    """What the proxies before us say, and whoever else writes such a header."""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            return str(value[:200], "latin-1")
    return None
