"""API keys: a file of their names, scopes and hashes; the keys themselves are kept nowhere."""

import hashlib
import hmac
import json
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from catalog.errors import InvalidRequest
from serve.access.rates import Rate

Permission = Literal["read", "write"]

_PREFIX: Final = "catalens_"  # so that scanners of leaked secrets know one
_BYTES: Final = 32
_LOOK_EVERY_S: Final = 5.0
_logger = logging.getLogger(__name__)


class ApiKey(BaseModel):
    """What the file says of a key.

    Attributes:
        name: of who calls with it; the audit log and rate limits go by it.
        scope: `write` may change the catalog and the review queue, `read` everything else.
        sha256: of the key, in hexadecimal. A key is 32 random bytes: no dictionary holds it, so a
            slow hash would protect nothing more.
        rate: of requests that it may make, such as 100/second; each replica counts for itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w.@-]{1,64}$")
    scope: Permission
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    rate: Rate | None = None


_KEYS: Final = TypeAdapter(list[ApiKey])


def create_key(path: Path, name: str, scope: Permission, rate: str | None = None) -> str:
    """Add a key to the file, which is made if it is not there, and give it away this once.

    Raises:
        InvalidRequest: the file cannot be read, the name is taken, or a value is out of its range.
    """
    path = path.resolve()
    known = read_keys(path) if path.exists() else []
    if any(one.name == name for one in known):
        raise InvalidRequest(
            f"there is a key of that name in {path}.",
            where="name",
            fix="Take another name, or delete its entry first.",
        )
    key = _PREFIX + secrets.token_urlsafe(_BYTES)
    try:
        added = ApiKey(name=name, scope=scope, sha256=_hash(key.encode()), rate=rate)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(_said(first["msg"]), where=str(first["loc"][0])) from None
    whole = [one.model_dump(exclude_none=True) for one in (*known, added)]
    handle, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(whole, indent=2) + "\n")
    if path.exists():  # whoever reads it now shall read it then
        shutil.copystat(path, unfinished)
    os.replace(unfinished, path)
    return key


def read_keys(path: Path) -> list[ApiKey]:
    """The keys of a file.

    Raises:
        InvalidRequest: it cannot be read, two keys have one name, or an entry is malformed.
    """
    try:
        keys = _KEYS.validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(
            f"it cannot be read ({error.strerror}).",
            where=str(path),
            fix="Make it: catalens new-key NAME --file FILE.",
        ) from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidRequest(
            _said(first["msg"]),
            where=f"{path}: {place}" if place else str(path),
            fix="An entry has name, scope (read or write), sha256 and perhaps rate.",
        ) from None
    names = [one.name for one in keys]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidRequest(f"two keys are called {twice}.", where=str(path), fix="Rename one.")
    return keys


class KeyRing:
    """The keys of a file as it is now; a change of the file takes effect within seconds.

    Raises:
        InvalidRequest: the file cannot be used.
    """

    def __init__(self, path: Path, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._path = path
        self._look_every_s = look_every_s
        self._seen = self._mark()
        self._keys: Sequence[ApiKey] = read_keys(path)
        self._look_at = time.monotonic() + look_every_s

    def find(self, presented: bytes) -> ApiKey | None:
        """The key that was presented; how long it takes says nothing of any key."""
        self._look()
        digest = _hash(presented)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def _look(self) -> None:
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + self._look_every_s
        mark = self._mark()
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self._keys = read_keys(self._path)
        except InvalidRequest as error:
            _logger.error("the keys of before stay in force: %s", error)

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _hash(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def _said(message: str) -> str:
    return f"{message.removeprefix('Value error, ')}."
