"""`evaluate`: how good a bundle's answers are."""

import json
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from catalens.cli.markup import cells, tell_notes, tell_skipped
from catalens.cli.progress import progress_bar
from catalog.manifest import ManifestConfig, read_manifest
from catalog.precision import TARGET_PRECISION, check_precision
from inference.bundle import read_bundle
from inference.devices import Device
from inference.evaluate import EvaluationReport, Use, needed_columns
from inference.evaluate import evaluate as judge

_PART: Final = {"depth": "top1 at depth", "average_precision": "average precision of tag"}


def evaluate(
    bundle: Path,
    manifest: str,
    /,
    *,
    split: str | None = None,
    catalog: str | None = None,
    use: Use = "both",
    precision: float = TARGET_PRECISION,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    bad_rows: Path = Path("bad_rows.csv"),
    device: Device = "auto",
    columns: Annotated[ManifestConfig, Parameter(name="*", group="Manifest")] = ManifestConfig(),
) -> None:
    """Judge every row of a manifest that is not train, or those of one split.

    Args:
        bundle: directory of the bundle.
        manifest: a folder tree of photos, or a .csv, .parquet or .ndjson table.
        split: judge only these rows.
        catalog: judge categorize in this catalog instead of classify.
        use: what categorize is given of each row.
        precision: how often answers of categorize that need no person must be right.
        json_file: write the figures to this file.
        bad_rows: where rows that cannot be used are listed, if there are any.
        device: where the graph runs; auto takes a GPU where one works.
        columns: how to read the manifest.
    """
    read = read_bundle(bundle)
    opened = None
    if catalog is not None:
        from catalog.store import Catalog  # takes seconds

        opened = Catalog.open(catalog, read.document.embedding_id)
    needs = needed_columns(opened is not None, use)
    rows = read_manifest(manifest, columns, needs=needs, bad_rows_file=bad_rows).split(split)
    with progress_bar("Judging photos") as progress:
        report = judge(
            read,
            rows,
            catalog=opened,
            use=use,
            precision=check_precision(precision, "--precision"),
            device=device,
            bad_rows_file=bad_rows,
            progress=progress,
        )
    _show(report)
    tell_notes(rows.notes)
    tell_skipped(len(rows.bad) + len(rows.rows) - report.images, bad_rows)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")


def _show(report: EvaluationReport) -> None:
    table = Table("figure", "value")
    for key, value in report.to_json().items():
        if isinstance(value, dict):
            for part, share in value.items():
                table.add_row(*cells(f"{_PART.get(key, key)} {part}", f"{share:.4f}"))
        else:
            table.add_row(*cells(key, f"{value:.4f}" if isinstance(value, float) else value))
    Console().print(table)
