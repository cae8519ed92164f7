"""`batch`: a whole catalog scored offline."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from catalens.cli.markup import bold
from catalens.cli.progress import progress_bar
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
    from train.cluster import ray_cluster  # Ray takes seconds

    rows = read_manifest(manifest, columns, needs=_NEEDS, bad_rows_file=bad_rows)
    if split is not None:
        rows = rows.split(split)
    with ray_cluster(), progress_bar("Scoring rows") as progress:
        report = score_batch(read_bundle(bundle), rows, out, config, progress)
    there = f" ({report.already_there:,} were there already)" if report.already_there else ""
    Console().print(f"{bold(out)} holds {report.rows:,} rows{there}.", soft_wrap=True)
    if report.errors:
        Console(stderr=True).print(
            f"{report.errors:,} of them have an error instead of an answer.", style="yellow"
        )
