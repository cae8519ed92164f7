"""Scoring a whole catalog offline, on Ray Data: a manifest in, a folder of Parquet parts out.

Rows are cut into parts; a worker scores one after the other and each becomes a file when it is
whole. So a job that was killed goes on where it was, and repeats at most the parts it was at.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from catalog.errors import DeviceUnavailable, InvalidRequest
from catalog.manifest import BadRow, Manifest, Row
from catalog.precision import TARGET_PRECISION, check_precision
from catalog.tables import open_filesystem
from inference.answers import AnswerPolicy
from inference.bundle import Bundle, read_bundle
from inference.categoriser import Categoriser
from inference.devices import Device, VariantName, best_variant
from inference.neighbours import find_neighbours
from inference.photos import SeenRow, see_rows
from inference.session import Session

if TYPE_CHECKING:  # LanceDB and Ray take seconds to import
    from ray.data import DataContext

    from catalog.store import Catalog

Progress = Callable[[int, int], None]

_JOB: Final = "_job.json"  # readers of Parquet folders leave out what begins with a line
_PART: Final = re.compile(r"part-(\d{6,})\.parquet")
_RANKED: Final = pa.list_(pa.struct([("path", pa.string()), ("probability", pa.float32())]))
_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("name", pa.string()),
        ("path", pa.string()),
        ("probability", pa.float32()),
        ("decision", pa.string()),
        ("categories", _RANKED),
        ("error", pa.string()),
    ]
)


@dataclass(frozen=True)
class BatchConfig:
    """How to score.

    Attributes:
        catalog: categorize in this catalog, from photo and name, instead of classify the photo.
        precision: with a catalog, how often answers that need no person must be right.
        top_k: ranked categories of each row.
        part_rows: rows of a part; what a killed job repeats at most, for each worker.
        worker_cpus: cores of a worker; there are as many workers as fit into the cluster. One by
            default, two with a catalog, whose index each worker holds in memory.
        device: where the graph runs; a worker on a GPU has one for itself.
        variant: which of the bundle's graphs; auto takes the fastest on the device.
    """

    catalog: str | None = None
    precision: float = TARGET_PRECISION
    top_k: int = 5
    part_rows: int = 1_024
    worker_cpus: int | None = None
    device: Device = "auto"
    variant: VariantName = "auto"

    def __post_init__(self) -> None:
        check_precision(self.precision, "--precision")
        for name in ("top_k", "part_rows", "worker_cpus"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidRequest(
                    f"it is {value}.",
                    where=f"--{name.replace('_', '-')}",
                    fix="Give 1 or more.",
                )


@dataclass(frozen=True)
class BatchReport:
    """What a job came to.

    Attributes:
        rows: that the output holds.
        errors: of these, rows with an error instead of an answer.
        already_there: of these, rows that an earlier run of the job scored.
    """

    rows: int
    errors: int
    already_there: int


def score_batch(
    bundle: Bundle,
    manifest: Manifest,
    out: str,
    config: BatchConfig = BatchConfig(),
    progress: Progress | None = None,
) -> BatchReport:
    """Score every row of a manifest on the Ray cluster that is joined, or on this machine.

    ``out`` becomes a folder of Parquet files in the manifest's order, a row for each of its rows
    with ``id``, ``image``, ``name``, ``path``, ``probability``, ``decision``, ``categories`` and
    ``error``. A photo that cannot be read has an error and no path.

    Args:
        bundle: answers; its directory must be there for every worker.
        manifest: already narrowed to the split wanted.
        out: local directory, or ``s3://bucket/prefix``.
        config: how to score.
        progress: called now and then with the rows done and all there are.

    Raises:
        InvalidRequest: ``out`` holds the parts of another job, or something else.
        CatalogMissing, EmbeddingMismatch: there is no such catalog, or it is not this bundle's.
        DeviceUnavailable: the device asked for is not there.
    """
    bundle = replace(bundle, directory=bundle.directory.absolute())
    config = replace(config, catalog=config.catalog and _absolute(config.catalog))
    _open(config.catalog, bundle)  # refuses here what a worker could only die of
    _check_device(config)
    output = _Output(_absolute(out))
    output.begin(_job(bundle, manifest, config))
    size = config.part_rows
    starts = dict(enumerate(range(0, len(manifest.rows), size)))
    done = output.finished() & starts.keys()
    todo: list[dict[str, Any]] = [
        {"part": number, "rows": [_sent(row) for row in manifest.rows[start : start + size]]}
        for number, start in starts.items()
        if number not in done
    ]
    scored = len(manifest.rows) - sum(len(part["rows"]) for part in todo)
    already_there, errors = scored, output.errors(done)
    if progress:
        progress(scored, len(manifest.rows))
    for found in _scored(bundle, output.uri, config, todo):
        scored += found["rows"]
        errors += found["errors"]
        if progress:
            progress(scored, len(manifest.rows))
    return BatchReport(scored, errors, already_there)


def _sent(row: Row) -> dict[str, Any]:
    """What a worker needs of a row."""
    image = row.image and _absolute(row.image)
    return {"line": row.line, "id": row.id, "image": image, "name": row.name}


def _absolute(uri: str) -> str:
    """A worker's own directory is another one."""
    return uri if "://" in uri else str(Path(uri).absolute())


def _check_device(config: BatchConfig) -> None:
    if config.device in ("cuda", "tensorrt") and not _gpus(config):
        raise DeviceUnavailable(
            "Ray has no GPU.",
            where="--device",
            fix="Use --device cpu, or join a cluster with GPUs.",
        )


def _scored(
    bundle: Bundle, out: str, config: BatchConfig, todo: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Counts of each part, as its file is written."""
    if not todo:
        return
    import ray.data  # takes seconds

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    # Threads of one process wait for each other: two workers of a core score 1.05 times as many
    # photos as one of two.
    wanted = config.worker_cpus or (2 if config.catalog else 1)
    cpus = min(wanted, int(resources.get("CPU", 1)))
    gpus = _gpus(config)
    workers = gpus or int(resources.get("CPU", 1)) // cpus
    _quiet(ray.data.DataContext.get_current())
    scored = ray.data.from_items(list(todo), override_num_blocks=len(todo)).map(
        _Scorer,  # type: ignore[arg-type]  # Ray makes one in each worker
        fn_constructor_args=(str(bundle.directory), out, config, cpus),
        compute=ray.data.ActorPoolStrategy(size=max(1, min(workers, len(todo)))),
        num_cpus=cpus,
        num_gpus=1 if gpus else None,
    )
    yield from scored.iter_rows()


def _quiet(context: "DataContext") -> None:
    """No bars of Ray's own, no plan, no word that there are no bars; its warnings stay."""
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)


class _Scorer:
    """A worker: one session, one part after the other."""

    def __init__(self, bundle: str, out: str, config: BatchConfig, cores: int) -> None:
        self._bundle = read_bundle(bundle)
        self._session = Session(
            self._bundle, variant=config.variant, device=config.device, threads=1
        )
        self._cores = cores
        self._policy = AnswerPolicy.of(self._bundle)
        self._categoriser = Categoriser.of(self._bundle)
        self._catalog = _open(config.catalog, self._bundle)
        self._moves = self._catalog.moves() if self._catalog else ()
        self._out = _Output(out)
        self._top_k = config.top_k
        self._precision = config.precision

    def __call__(self, part: dict[str, Any]) -> dict[str, Any]:
        rows = [
            Row(sent["line"], sent["image"], None, sent["name"], sent["id"], None)
            for sent in part["rows"]
        ]
        records = [
            self._record(row, seen)
            for row, seen in zip(rows, see_rows(self._session, rows, runs=self._cores), strict=True)
        ]
        self._out.write(part["part"], pa.Table.from_pylist(records, schema=_SCHEMA))
        errors = sum("error" in record for record in records)
        return {"rows": len(records), "errors": errors}

    def _record(self, row: Row, seen: SeenRow | BadRow) -> dict[str, Any]:
        record: dict[str, Any] = {"id": row.id, "image": row.image, "name": row.name}
        if isinstance(seen, BadRow):
            return record | {"error": f"{seen.field}: {seen.problem}"}
        if self._catalog is not None and (row.image or row.name):
            neighbours = find_neighbours(self._catalog, seen.embedding, row.name, without=row.id)
            found = self._categoriser.categorise(
                neighbours,
                seen.probabilities,
                seen.embedding,
                row.name,
                self._moves,
                self._precision,
            )
            return record | {
                "path": found.path,
                "probability": found.score,
                "decision": found.decision,
                "categories": [asdict(one) for one in found.ranked[: self._top_k]],
            }
        if seen.prediction is None:
            return record | {"error": "image: the row has no photo"}
        (answer,) = self._policy.answers(seen.prediction, self._top_k)
        record |= answer["answer"]
        return record | {"categories": answer["categories"]}


def _open(uri: str | None, bundle: Bundle) -> "Catalog | None":
    if uri is None:
        return None
    from catalog.store import Catalog

    return Catalog.open(uri, bundle.document.embedding_id)


class _Output:
    """The folder of parts."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._files, self._root = open_filesystem(uri)

    def begin(self, job: dict[str, Any]) -> None:
        """Say which job's parts these are, or refuse what is there of another."""
        if self._files.get_file_info(self._root).is_file:
            raise InvalidRequest("it is a file.", where=self.uri, fix="Name a folder.")
        self._files.create_dir(self._root, recursive=True)
        path = f"{self._root}/{_JOB}"
        if self._files.get_file_info(path).is_file:
            with self._files.open_input_file(path) as file:
                known = json.loads(file.read())
            if known != job:
                other = ", ".join(key for key in job if known.get(key) != job[key])
                raise self._taken(f"it holds the parts of another job ({other} differs).")
        elif [name for name in self._names() if not name.startswith("_")]:
            raise self._taken("it holds files that are not of a batch.")
        else:
            self._write(_JOB, lambda file: file.write(json.dumps(job, indent=2).encode()))

    def finished(self) -> set[int]:
        """Numbers of the parts that are whole."""
        return {int(found[1]) for name in self._names() if (found := _PART.fullmatch(name))}

    def errors(self, parts: Iterable[int]) -> int:
        """Rows with an error in those parts."""
        columns = (
            pq.read_table(
                f"{self._root}/{_part(number)}", columns=["error"], filesystem=self._files
            )["error"]
            for number in parts
        )
        return sum(len(column) - column.null_count for column in columns)

    def write(self, number: int, table: pa.Table) -> None:
        """Write a part: whole, or not at all."""
        self._write(_part(number), lambda file: pq.write_table(table, file))

    def _write(self, name: str, fill: Callable[[Any], object]) -> None:
        # A name of its own: workers of a killed job may live on for a moment.
        unfinished = f"{self._root}/_{uuid4().hex}.unfinished"
        with self._files.open_output_stream(unfinished) as file:
            fill(file)
        self._files.move(unfinished, f"{self._root}/{name}")

    def _names(self) -> list[str]:
        entries = self._files.get_file_info(pafs.FileSelector(self._root))
        return [entry.base_name for entry in entries]

    def _taken(self, what: str) -> InvalidRequest:
        return InvalidRequest(what, where=self.uri, fix="Name another folder, or delete this one.")


def _part(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _job(bundle: Bundle, manifest: Manifest, config: BatchConfig) -> dict[str, Any]:
    """What decides the answers."""
    rows = hashlib.sha256()
    for row in manifest.rows:
        rows.update(repr((row.id, row.image and _absolute(row.image), row.name)).encode())
    return {
        "bundle": bundle.document.version,
        "rows": rows.hexdigest(),
        "catalog": config.catalog,
        "precision": config.precision,
        "top_k": config.top_k,
        "part_rows": config.part_rows,
        "variant": _variant(bundle, config),
    }


def _variant(bundle: Bundle, config: BatchConfig) -> str:
    """The graph that answers: parts of one job must not come from two."""
    if config.variant != "auto":
        return config.variant
    return best_variant(bundle.document, "cuda" if _gpus(config) else "cpu")


def _gpus(config: BatchConfig) -> int:
    if config.device == "cpu":
        return 0
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(resources.get("GPU", 0))
