"""`fit-matching` and `evaluate-matching`: the score of two products being one."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.table import Table

from catalens.cli.markup import bold, counted, tell_skipped
from catalens.cli.progress import progress_bar, step
from catalog.errors import InvalidManifest
from catalog.pairs import Pairs, read_pairs
from catalog.tables import TABLE_SUFFIXES
from inference.bundle import Bundle, read_bundle, refuse_taken
from inference.devices import Device
from inference.pairs import SeenPair, see_pairs
from inference.pairs import evaluate_matching as judge

Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]


def fit_matching(
    bundle: Path,
    source: str,
    new_bundle: Path,
    /,
    *,
    precision: Annotated[float, Parameter(validator=Number(gt=0.5, lt=1))] = 0.95,
    image_root: str | None = None,
    max_bad: Share = 0.05,
    bad_rows: Path = Path("bad_rows.csv"),
    device: Device = "auto",
) -> None:
    """Learn from the pairs whose split is train, or from all when they have no splits.

    Args:
        bundle: directory of the bundle that embeds the photos.
        source: a .csv, .parquet or .ndjson table with the columns left,right,same or
            left_name,left_image,right_name,right_image,same; or the shop's own catalog.
        new_bundle: a new directory for the bundle with what was learnt.
        precision: how often the answers same and different are to be right.
        image_root: folder or URI that relative photos start at; the table's own if not given.
        max_bad: share of bad pairs above which the run stops.
        bad_rows: where pairs that cannot be used are listed, if there are any.
        device: where the graph runs; auto takes a GPU where one works.
    """
    from export.matching import fit_matching as fit  # LightGBM takes seconds

    refuse_taken(new_bundle)
    read = read_bundle(bundle)
    if Path(source).suffix.lower() in TABLE_SUFFIXES:
        given = read_pairs(source, image_root=image_root, max_bad=max_bad).to_learn()
        seen = _see(read, given, device, bad_rows)
    elif Path(source).is_file():
        raise InvalidManifest(
            "it is neither a .csv, .parquet, .ndjson or .jsonl table nor a catalog.", where=source
        )
    else:
        seen = _of_catalog(read, source, device)
    with step("Fitting"):
        fitted = fit(read, seen, new_bundle, source=source, precision=precision)
    model = fitted.model
    Console().print(
        f"Bundle {bold(new_bundle)}, version {fitted.bundle.document.version}: from "
        f"{counted(fitted.pairs, 'pair')}, {fitted.same:,} of them the same. A pair is the same "
        f"from {model.same_at:.2f}, different up to {model.different_at:.2f}, a person looks "
        "between.",
        soft_wrap=True,
    )


def evaluate_matching(
    bundle: Path,
    pairs: str,
    /,
    *,
    split: str | None = None,
    plot: Path | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    image_root: str | None = None,
    max_bad: Share = 0.05,
    bad_rows: Path = Path("bad_rows.csv"),
    device: Device = "auto",
) -> None:
    """Judge every pair that is not train, or those of one split.

    Args:
        bundle: directory of the bundle.
        pairs: a .csv, .parquet or .ndjson table, as for fit-matching.
        split: judge only these pairs.
        plot: draw precision against recall, those the bundle was fitted with beside those found
            here, as a .svg, .png or .pdf.
        json_file: write the figures to this file.
        image_root: folder or URI that relative photos start at; the table's own if not given.
        max_bad: share of bad pairs above which the run stops.
        bad_rows: where pairs that cannot be used are listed, if there are any.
        device: where the graph runs; auto takes a GPU where one works.
    """
    read = read_bundle(bundle)
    given = read_pairs(pairs, image_root=image_root, max_bad=max_bad).to_judge(split)
    seen = _see(read, given, device, bad_rows)
    report = judge(read, seen)
    table = Table("figure", "value")
    for key, value in report.to_json().items():
        table.add_row(key, f"{value:.4f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
    if plot is not None:
        from catalens.cli.plots import draw_precision_recall  # Matplotlib takes a second

        draw_precision_recall(plot, read.match_model.curve, report.curve)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")


def _of_catalog(bundle: Bundle, uri: str, device: Device) -> list[SeenPair]:
    from catalog.store import Catalog  # LanceDB takes seconds
    from inference.catalog_pairs import pairs_of_catalog

    catalog = Catalog.open(uri, bundle.document.embedding_id)
    with progress_bar("Comparing products") as progress:
        return pairs_of_catalog(bundle, catalog, device=device, progress=progress)


def _see(bundle: Bundle, pairs: Pairs, device: Device, bad_rows: Path) -> list[SeenPair]:
    pairs = pairs.with_bad((), bad_rows)
    with progress_bar("Comparing photos") as progress:
        seen, unreadable = see_pairs(bundle, pairs.rows, device=device, progress=progress)
    bad = pairs.with_bad(unreadable, bad_rows).bad
    tell_skipped(len(bad), bad_rows, "pair")
    return seen
