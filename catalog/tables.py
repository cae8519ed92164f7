"""Tables and photo files wherever they lie: local disk, ``s3://`` or ``gs://``."""

import codecs
import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from catalog.errors import ImageTooLarge, InvalidImage, InvalidManifest, InvalidRequest
from catalog.images import DEFAULT_LIMITS, ImageLimits

TABLE_SUFFIXES = (".csv", ".parquet", ".ndjson", ".jsonl")
_END = "the end of the table"


def resolve(root: str, path: str) -> str:
    """A relative path under ``root``; absolute paths and URIs stay as they are."""
    if "://" in path or Path(path).is_absolute():
        return path
    return f"{root.rstrip('/')}/{path}" if "://" in root else str(Path(root) / path)


def read_bytes(uri: str, limits: ImageLimits = DEFAULT_LIMITS, *, where: str = "") -> bytes:
    """A photo file's bytes, its size checked before it is read.

    Raises:
        InvalidImage: no such file, or it cannot be read.
        ImageTooLarge: over ``limits.max_bytes``.
    """
    try:
        if "://" not in uri:  # a fifth of the time that pyarrow takes
            with Path(uri).open("rb", buffering=0) as local:
                _check_size(os.fstat(local.fileno()).st_size, limits, where or uri)
                return local.read()
        filesystem, path = open_filesystem(uri)
        with filesystem.open_input_file(path) as file:
            _check_size(file.size(), limits, where or uri)
            return bytes(file.read())
    except FileNotFoundError as error:
        raise InvalidImage("no such file.", where=where or uri) from error
    except InvalidRequest as error:
        raise InvalidImage(error.what, where=where or uri, fix=error.fix) from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidImage(f"cannot be read ({error}).", where=where or uri) from error


def _check_size(size: int, limits: ImageLimits, where: str) -> None:
    if size > limits.max_bytes:
        raise ImageTooLarge(
            f"the file has {size:,} bytes; at most {limits.max_bytes:,} are read.", where=where
        )


def is_folder(source: str) -> bool:
    """Whether a path or URI is a folder; on object storage, whether anything lies below it."""
    if "://" not in source:
        return Path(source).is_dir()
    filesystem, path = open_filesystem(source)
    return bool(filesystem.get_file_info(path).type == pafs.FileType.Directory)


def list_files(folder: str) -> tuple[list[str], list[str]]:
    """Files and folders below a folder, relative, sorted; hidden ones left out."""
    files: list[str] = []
    folders: list[str] = []
    for path, is_file in _local_entries(folder) if "://" not in folder else _entries(folder):
        if not any(part.startswith(".") for part in path.split("/")):
            (files if is_file else folders).append(path)
    return sorted(files), sorted(folders)


def _local_entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Names that are not UTF-8, too, which pyarrow cannot list."""
    for entry in Path(folder).rglob("*"):
        if entry.is_file() or entry.is_dir():
            yield entry.relative_to(folder).as_posix(), entry.is_file()


def _entries(folder: str) -> Iterator[tuple[str, bool]]:
    filesystem, root = open_filesystem(folder)
    for entry in filesystem.get_file_info(pafs.FileSelector(root, recursive=True)):
        below = entry.path.removeprefix(root.rstrip("/")).lstrip("/")
        yield below, entry.type == pafs.FileType.File


def read_records(source: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Line number and cells as text of each row of a CSV, Parquet or NDJSON table.

    In the place of a row that cannot be read as one, what is wrong with it. Bytes that are not
    UTF-8 become half surrogate pairs (PEP 383), which `catalog.product.is_unicode` knows.

    Raises:
        InvalidManifest: not there, of another kind, or not readable as its kind.
    """
    suffix = Path(source).suffix.lower()
    if "://" not in source and not Path(source).exists():
        raise InvalidManifest("no such file or folder.", where=source)
    if suffix not in TABLE_SUFFIXES:
        raise InvalidManifest(
            "neither a folder nor a .csv, .parquet, .ndjson or .jsonl file.",
            where=source,
            fix="Give a folder tree of photos or such a table.",
        )
    reader = {".csv": _csv, ".parquet": _parquet}.get(suffix, _ndjson)
    try:
        filesystem, path = open_filesystem(source)
        with filesystem.open_input_file(path) as file:
            yield from reader(file, source)
    except FileNotFoundError as error:
        raise InvalidManifest("no such file or folder.", where=source) from error
    except (OSError, pa.ArrowException, csv.Error, UnicodeDecodeError) as error:
        raise InvalidManifest(f"cannot be read ({first_line(error)}).", where=source) from error


def open_filesystem(uri: str) -> tuple[Any, str]:
    """The pyarrow filesystem of a path or URI, and the path in it."""
    if "://" in uri:
        try:
            filesystem, path = pafs.FileSystem.from_uri(uri)
        except (pa.ArrowException, OSError) as error:
            raise InvalidRequest(
                f"it cannot be opened ({first_line(error)}).",
                where=uri,
                fix="Give a path, or an address as s3://bucket/prefix or gs://bucket/prefix.",
            ) from error
        return filesystem, path
    return pafs.LocalFileSystem(), str(Path(uri).absolute())


def first_line(error: Exception) -> str:
    """What an error of a library says, without the traces that some add."""
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def _text(file: Any, newline: str | None = None) -> io.TextIOWrapper:
    # Excel's "Unicode text" is UTF-16, which always begins so.
    start = file.read(2)
    file.seek(0)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    return io.TextIOWrapper(file, encoding, errors="surrogateescape", newline=newline)


def _csv(file: Any, source: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    ended = False

    def lines(text: io.TextIOWrapper) -> Iterator[str]:
        nonlocal ended
        yield from text
        ended = True
        yield _END  # a row of its own, unless a quote is still open

    text = _text(file, "")
    head = text.readline()
    delimiter = next((one for one in ",;\t" if one in head), ",")
    text.seek(0)
    reader = csv.DictReader(lines(text), restval="", restkey="", delimiter=delimiter)
    columns, before = reader.fieldnames, 0
    if ended and columns != [_END]:
        raise _never_closed(source, 1)
    for record in reader:
        if ended:
            if next(iter(record.values())) != _END:
                raise _never_closed(source, before + 1)
            return
        record.pop("", None)
        yield reader.line_num, record
        before = reader.line_num


def _never_closed(source: str, line: int) -> InvalidManifest:
    return InvalidManifest(
        "a quote that opens in this row is never closed, so all below it would be one cell.",
        where=f"{source}, line {line}",
        fix='Close it, or write a quote within a cell twice: "Bike 28""".',
    )


def _ndjson(file: Any, source: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    for line, raw in enumerate(_text(file), start=1):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:
            yield line, f"not JSON ({first_line(error)})"
            continue
        if not isinstance(record, dict):
            yield line, "not a JSON object"
            continue
        yield line, {str(key): _as_text(value) for key, value in record.items()}


def _parquet(file: Any, source: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    line = 0
    for batch in pq.ParquetFile(file).iter_batches(batch_size=4096):
        for record in batch.to_pylist():
            line += 1
            yield line, {str(key): _as_text(value) for key, value in record.items()}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)
