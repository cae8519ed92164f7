"""Scoring a whole catalog offline, on Ray Data: a manifest in, a folder of Parquet parts out.

Rows are cut into parts; a worker scores one after the other and each becomes a file when it is
whole. So a job that was killed goes on where it was, and repeats at most the parts it was at.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.data

from catalog.errors import InvalidRequest
from catalog.manifest import BadRow, Manifest, Row
from catalog.tables import open_filesystem
from inference.answers import AnswerPolicy
from inference.bundle import Bundle, read_bundle
from inference.categoriser import Categoriser
from inference.devices import Device, VariantName
from inference.neighbours import find_neighbours
from inference.photos import SeenRow, see_rows
from inference.session import Session

if TYPE_CHECKING:  # LanceDB takes seconds to import
    from catalog.store import Catalog

Progress = Callable[[int, int], None]

_JOB: Final = "_job.json"  # readers of Parquet folders leave out what begins with a line
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
        top_k: ranked categories of each row.
        part_rows: rows of a part; what a killed job repeats at most, for each worker.
        worker_cpus: cores of a worker; there are as many workers as fit into the cluster.
        device: where the graph runs; a worker on a GPU has one for itself.
        variant: which of the bundle's graphs; auto takes the fastest on the device.
    """

    catalog: str | None = None
    top_k: int = 5
    part_rows: int = 1_024
    worker_cpus: int = 2
    device: Device = "auto"
    variant: VariantName = "auto"


@dataclass(frozen=True)
class BatchReport:
    """What a job came to.

    Attributes:
        rows: that the output holds.
        unreadable: rows of these with an error.
        repeated: rows that were there already.
    """

    rows: int
    unreadable: int
    repeated: int


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
        InvalidRequest: ``out`` holds the parts of another job.
        CatalogMissing, EmbeddingMismatch: there is no such catalog, or it is not this bundle's.
        DeviceUnavailable: the device asked for is not there.
    """
    output = _Output(out)
    output.begin(_job(bundle, manifest, config))
    size = config.part_rows
    parts = {
        number: manifest.rows[start : start + size]
        for number, start in enumerate(range(0, len(manifest.rows), size))
    }
    done = output.finished()
    todo = [
        {"part": number, "rows": [asdict(row) for row in rows]}
        for number, rows in parts.items()
        if number not in done
    ]
    repeated = sum(len(parts[number]) for number in done)
    if progress:
        progress(repeated, len(manifest.rows))
    unreadable, rows_done = 0, repeated
    for found in _scored(bundle, out, config, todo):
        rows_done += found["rows"]
        unreadable += found["unreadable"]
        if progress:
            progress(rows_done, len(manifest.rows))
    return BatchReport(rows_done, unreadable, repeated)


def _scored(
    bundle: Bundle, out: str, config: BatchConfig, todo: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Counts of each part, as its file is written."""
    if not todo:
        return
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cpus = min(config.worker_cpus, int(resources.get("CPU", 1)))
    gpus = int(resources.get("GPU", 0)) if config.device != "cpu" else 0
    workers = gpus or int(resources.get("CPU", 1)) // cpus
    ray.data.DataContext.get_current().enable_progress_bars = False
    scored = ray.data.from_items(list(todo), override_num_blocks=len(todo)).map(
        _Scorer,  # type: ignore[arg-type]  # Ray makes one in each worker
        fn_constructor_args=(str(bundle.directory), out, config, cpus),
        concurrency=max(1, min(workers, len(todo))),
        num_cpus=cpus,
        num_gpus=1 if gpus else None,
    )
    yield from scored.iter_rows()


class _Scorer:
    """A worker: one session, one part after the other."""

    def __init__(self, bundle: str, out: str, config: BatchConfig, threads: int) -> None:
        self._bundle = read_bundle(bundle)
        self._session = Session(
            self._bundle, variant=config.variant, device=config.device, threads=threads
        )
        self._policy = AnswerPolicy.of(self._bundle)
        self._categoriser = Categoriser.of(self._bundle)
        self._catalog = _open(config.catalog, self._bundle)
        self._out = _Output(out)
        self._top_k = config.top_k

    def __call__(self, part: dict[str, Any]) -> dict[str, Any]:
        rows = [Row(**{**row, "tags": tuple(row["tags"])}) for row in part["rows"]]
        records = [
            self._record(row, seen)
            for row, seen in zip(rows, see_rows(self._session, rows), strict=True)
        ]
        self._out.write(part["part"], pa.Table.from_pylist(records, schema=_SCHEMA))
        errors = sum("error" in record for record in records)
        return {"rows": len(records), "unreadable": errors}

    def _record(self, row: Row, seen: SeenRow | BadRow) -> dict[str, Any]:
        record: dict[str, Any] = {"id": row.id, "image": row.image, "name": row.name}
        if isinstance(seen, BadRow):
            return record | {"error": f"{seen.field}: {seen.problem}"}
        if self._catalog is not None and (row.image or row.name):
            neighbours = find_neighbours(self._catalog, seen.embedding, row.name, without=row.id)
            found = self._categoriser.categorise(
                neighbours, seen.probabilities, seen.embedding, row.name
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
        self._uri = uri
        self._files, self._root = open_filesystem(uri)

    def begin(self, job: dict[str, Any]) -> None:
        """Say which job's parts these are, or refuse those of another."""
        self._files.create_dir(self._root, recursive=True)
        path = f"{self._root}/{_JOB}"
        if self._files.get_file_info(path).is_file:
            with self._files.open_input_file(path) as file:
                known = json.loads(file.read())
            if known != job:
                other = ", ".join(key for key in job if known.get(key) != job[key])
                raise InvalidRequest(
                    f"it holds the parts of another job ({other} differs).",
                    where=self._uri,
                    fix="Name another folder, or delete this one.",
                )
            return
        with self._files.open_output_stream(path) as file:
            file.write(json.dumps(job, indent=2).encode())

    def finished(self) -> set[int]:
        """Numbers of the parts that are whole."""
        entries = self._files.get_file_info(pa.fs.FileSelector(self._root))
        names = [entry.base_name for entry in entries if entry.base_name.startswith("part-")]
        return {int(name.removeprefix("part-").removesuffix(".parquet")) for name in names}

    def write(self, number: int, table: pa.Table) -> None:
        """Write a part: whole, or not at all."""
        name = f"part-{number:06d}.parquet"
        unfinished = f"{self._root}/_{name}.unfinished"
        pq.write_table(table, unfinished, filesystem=self._files)
        self._files.move(unfinished, f"{self._root}/{name}")


def _job(bundle: Bundle, manifest: Manifest, config: BatchConfig) -> dict[str, Any]:
    """What decides the answers."""
    rows = hashlib.sha256()
    for row in manifest.rows:
        rows.update(repr((row.id, row.image, row.name)).encode())
    return {
        "bundle": bundle.document.version,
        "rows": rows.hexdigest(),
        "catalog": config.catalog,
        "top_k": config.top_k,
        "part_rows": config.part_rows,
        "variant": config.variant,
    }
