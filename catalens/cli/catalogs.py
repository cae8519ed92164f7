"""`import`: a manifest into a catalog."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from catalens.cli.progress import progress_bar
from catalog.manifest import ManifestConfig, read_manifest
from inference.bundle import read_bundle
from inference.devices import Device

# A product may come without a photo or without a name, but it is filed somewhere.
_NEEDS = frozenset({"category"})


def import_(
    bundle: Path,
    manifest: str,
    catalog: str,
    /,
    *,
    split: str | None = None,
    bad_rows: Path | None = None,
    device: Device = "auto",
    columns: Annotated[ManifestConfig, Parameter(name="*", group="Manifest")] = ManifestConfig(),
) -> None:
    """Put products into a catalog.

    Args:
        bundle: directory of the bundle that embeds the photos.
        manifest: a folder tree of photos, or a .csv, .parquet or .ndjson table.
        catalog: local directory, or s3://bucket/prefix.
        split: take only these rows; all if not given.
        bad_rows: where rows that cannot be used are listed, if there are any; beside a local
            catalog if not given, else bad_rows.csv here.
        device: where the graph runs; auto takes a GPU where one works.
        columns: how to read the manifest.
    """
    from inference.importer import import_manifest  # LanceDB takes seconds

    console = Console()
    if bad_rows is None:
        bad_rows = Path(
            "bad_rows.csv" if "://" in catalog else f"{catalog.rstrip('/')}.bad_rows.csv"
        )
    rows = read_manifest(manifest, columns, needs=_NEEDS, bad_rows_file=bad_rows)
    if split is not None:
        rows = rows.split(split)
    with progress_bar("Importing photos") as progress:
        report = import_manifest(
            read_bundle(bundle),
            rows,
            catalog,
            progress,
            device=device,
            bad_rows_file=bad_rows,
        )
    known = f" ({report.unchanged:,} were there already)" if report.unchanged else ""
    console.print(
        f"[bold]{catalog}[/bold] holds {report.products:,} products with {report.photos:,} photos"
        f"{known}, after {report.seconds:.1f} s.",
        soft_wrap=True,
    )
    for note in rows.notes:
        console.print(f"{note}.", style="yellow", soft_wrap=True)
    if report.bad:
        console.print(
            f"{len(report.bad)} rows were skipped; {bad_rows} lists them.",
            style="yellow",
            soft_wrap=True,
        )
