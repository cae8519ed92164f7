"""Bundles that lie on S3 or GCS: fetched whole into a directory of this machine, verified there."""

import fcntl
import json
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs

from catalog.errors import InvalidBundle, InvalidRequest
from catalog.tables import first_line, open_filesystem
from inference.bundle import DOCUMENT, Bundle, read_bundle

_VERSION: Final = re.compile(r"[0-9a-f]{8,64}")
_LEFT_BEHIND_S: Final = 24 * 3600.0
_KEPT: Final = 4  # bundles that no process holds
_HELD: Final[dict[Path, BinaryIO]] = {}  # locks of the bundles that this process has opened


def open_bundle(uri: str, cache: Path | None = None) -> Bundle:
    """The bundle at a path or URI; one that is elsewhere is fetched, unless it was before.

    Args:
        uri: local directory, ``s3://bucket/prefix`` or ``gs://bucket/prefix``.
        cache: directory of what was fetched; below the user's own cache if not given.

    Raises:
        InvalidBundle: it cannot be fetched, or is not whole.
    """
    if "://" not in uri:
        return read_bundle(uri)
    place = cache or _default_cache()
    try:
        files, root = open_filesystem(uri)
        with files.open_input_file(f"{root.rstrip('/')}/{DOCUMENT}") as file:
            version = str(json.loads(file.read())["version"])
        if not _VERSION.fullmatch(version):
            raise InvalidBundle(f"its version {version[:40]!r} is none.")
        fetched = place / version
        found = _whole(fetched)
        if found is None:
            _fetch(files, root, fetched)
            found = read_bundle(fetched)
        os.utime(fetched)
        _hold(fetched)
        _prune(place)
        return found
    except InvalidBundle as error:
        raise InvalidBundle(error.what, where=uri, fix=error.fix) from error
    except InvalidRequest as error:
        what = f"it cannot be fetched: {error.what}"
        raise InvalidBundle(what, where=uri, fix=error.fix) from error
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise InvalidBundle(
            f"it cannot be fetched ({first_line(error)}).",
            where=uri,
            fix="Check the address and that this machine may read it.",
        ) from error


def _default_cache() -> Path:
    own = os.environ.get("XDG_CACHE_HOME")
    return (Path(own) if own else Path.home() / ".cache") / "catalens" / "bundles"


def _whole(directory: Path) -> Bundle | None:
    """The bundle there, if it is one that nothing has damaged."""
    try:
        return read_bundle(directory)
    except InvalidBundle:
        return None


def _fetch(files: pafs.FileSystem, root: str, place: Path) -> None:
    """Fetch beside, then move into place: several processes may do so at once."""
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.parent / f".{place.name}.{uuid4().hex}"
    unfinished.mkdir()
    try:
        pafs.copy_files(
            root,
            str(unfinished),
            source_filesystem=files,
            destination_filesystem=pafs.LocalFileSystem(),
        )
        read_bundle(unfinished)
        if _whole(place) is None:
            # Moved away, not removed: another process may just have put a good one there.
            with suppress(OSError):
                place.rename(place.parent / f".{place.name}.{uuid4().hex}")
            with suppress(OSError):  # another process was faster
                unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _prune(place: Path) -> None:
    """Forget all bundles but those used last, and what killed processes left behind."""
    used: list[tuple[float, Path]] = []
    for one in place.iterdir():
        with suppress(OSError):  # another process has removed it
            used.append((one.stat().st_mtime, one))
    whole = sorted(entry for entry in used if _VERSION.fullmatch(entry[1].name))
    left = [entry for entry in used if entry[1].name.startswith(".")]
    old = [entry for entry in left if entry[0] < time.time() - _LEFT_BEHIND_S]
    for _, one in old:
        shutil.rmtree(one, ignore_errors=True)
    for _, one in whole[:-_KEPT]:
        with suppress(OSError), _lock_of(one).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while a process holds it
            shutil.rmtree(one, ignore_errors=True)
            _lock_of(one).unlink()


def _hold(bundle: Path) -> None:
    """Keep a bundle on this machine until the process ends: some of its files are read late."""
    if bundle not in _HELD:
        _HELD[bundle] = _lock_of(bundle).open("ab")
        fcntl.flock(_HELD[bundle], fcntl.LOCK_SH)


def _lock_of(bundle: Path) -> Path:
    return bundle.with_name(f"{bundle.name}.lock")
