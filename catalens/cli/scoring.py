"""`batch`: a whole catalog scored offline."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from catalens.cli.markup import bold, counted, tell_notes, tell_skipped, there_already
from catalens.cli.progress import progress_bar
from catalens.cli.stopped import told_when_stopped
from catalog.manifest import ManifestConfig, read_manifest
from inference.batch import BatchConfig, score_batch
from inference.bundle import read_bundle

_NEEDS: frozenset[str] = frozenset()


def batch(
    bundle: Path,
    manifest: str,
    out: str,
    /,
    *,
    split: str | None = None,
    bad_rows: Path = Path("bad_rows.csv"),
    config: Annotated[BatchConfig, Parameter(name="*")] = BatchConfig(),
    columns: Annotated[ManifestConfig, Parameter(name="*", group="Manifest")] = ManifestConfig(),
) -> None:
    """Classify or categorize every row of a manifest into a folder of Parquet files.

    Args:
        bundle: directory of the bundle.
        manifest: a folder tree of photos, or a .csv, .parquet or .ndjson table.
        out: a folder, local or s3://bucket/prefix; that of a stopped job is gone on with.
        split: score only these rows; all if not given.
        bad_rows: where rows that cannot be used are listed, if there are any.
        config: how to score.
        columns: how to read the manifest.
    """
    read = read_bundle(bundle)
    rows = read_manifest(manifest, columns, needs=_NEEDS, bad_rows_file=bad_rows)
    if split is not None:
        rows = rows.split(split)
    with told_when_stopped(), _quiet_cluster(), progress_bar("Scoring rows") as progress:
        report = score_batch(read, rows, out, config, progress)
    Console().print(
        f"{bold(out)} holds {counted(report.rows, 'row')}{there_already(report.already_there)}.",
        soft_wrap=True,
    )
    tell_notes(rows.notes)
    tell_skipped(len(rows.bad), bad_rows)
    if report.errors:
        Console(stderr=True).print(
            f"{report.errors:,} of them have an error instead of an answer.", style="yellow"
        )


@contextmanager
def _quiet_cluster() -> Iterator[None]:
    """Ray without its core's errors, one of which its own data layer causes (Ray issue 53727).

    What goes wrong is raised as well.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    from train.cluster import ray_cluster  # Ray takes seconds

    with ExitStack() as stack:
        with _standard_error_dropped():  # where the core says that it took that level
            stack.enter_context(ray_cluster())
        try:
            yield
        except KeyboardInterrupt:
            with _standard_error_dropped():  # where it says that its workers were ended
                stack.close()
            raise


@contextmanager
def _standard_error_dropped() -> Iterator[None]:
    """That of the process: Ray's core writes past Python's own."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
