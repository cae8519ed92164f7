"""Commands on a catalog: fill it, embed it anew, tidy it, take out what people decided."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape

from catalens.cli.markup import bold, counted, tell_notes, tell_skipped, there_already
from catalens.cli.progress import progress_bar
from catalens.cli.stopped import told_when_stopped
from catalog.manifest import ManifestConfig, read_manifest
from catalog.match import DEFAULT_MATCH_MODEL
from catalog.moves import Move, require_known
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
    with told_when_stopped(), progress_bar("Importing photos") as progress:
        report = import_manifest(
            read_bundle(bundle),
            rows,
            catalog,
            progress,
            device=device,
            bad_rows_file=bad_rows,
        )
    console.print(
        f"{bold(catalog)} holds {counted(report.products, 'product')} with "
        f"{counted(report.photos, 'photo')}{there_already(report.unchanged)}, "
        f"after {report.seconds:.1f} s.",
        soft_wrap=True,
    )
    tell_notes(rows.notes)
    tell_skipped(len(report.bad), bad_rows)


def reindex(
    bundle: Path,
    catalog: str,
    /,
    *,
    fill_only: bool = False,
    device: Device = "auto",
) -> None:
    """Embed every product again, from the photo copies the catalog keeps.

    Args:
        bundle: directory of the bundle that the catalog is to be searched with.
        catalog: local directory, or s3://bucket/prefix.
        fill_only: leave the catalog with the bundle that it answers for. A server that changes to
            this one finishes it, and no write is refused meanwhile.
        device: where the graph runs; auto takes a GPU where one works.
    """
    from inference.reindexer import reindex as run  # LanceDB takes seconds

    read = read_bundle(bundle)
    with told_when_stopped(), progress_bar("Embedding products") as progress:
        report = run(read, catalog, progress, device=device, activate=not fill_only)
    done = "is filled for" if fill_only else "now answers for"
    console = Console()
    console.print(
        f"{bold(catalog)} {done} bundle {read.document.version}: "
        f"{counted(report.products, 'product')}, {report.embedded:,} of them embedded now.",
        soft_wrap=True,
    )
    if report.unreadable:
        some = ", ".join(report.unreadable[:10])
        console.print(
            f"The photos of {counted(len(report.unreadable), 'product')} cannot be read: {some}.",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def duplicates(
    catalog: str,
    report: Path,
    /,
    *,
    bundle: Path | None = None,
    table: Path | None = None,
) -> None:
    """List groups of products that are one and the same.

    Args:
        catalog: local directory, or s3://bucket/prefix.
        report: the HTML page to write.
        bundle: directory of a bundle that fit-matching made: it says when two products are one.
            Without it, those are that share a photo, or have nearly one picture and one name.
        table: also write the groups as CSV: group, score, shares_photo, amounts_differ, id, name,
            category.
    """
    from catalog.duplicates.find import find_duplicates  # LanceDB takes seconds
    from catalog.duplicates.report import write_page, write_table
    from catalog.store import Catalog

    model, embedding_id = DEFAULT_MATCH_MODEL, None
    if bundle is not None:
        read = read_bundle(bundle)
        model, embedding_id = read.match_model, read.document.embedding_id
        if not model.fitted:
            Console(stderr=True).print(
                "The bundle was not fitted to pairs (`catalens fit-matching`): pictures decide.",
                style="yellow",
                soft_wrap=True,
            )
    opened = Catalog.open(catalog, embedding_id)
    report.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar("Comparing products") as progress:
        groups = find_duplicates(opened, model, progress)
    write_page(opened, groups, report)
    if table is not None:
        write_table(opened, groups, table)
    sharing = sum(group.shares_photo for group in groups)
    Console().print(
        f"{bold(report)} shows {counted(len(groups), 'group')}: {sharing:,} with a photo in "
        f"common, {len(groups) - sharing:,} alike.",
        soft_wrap=True,
    )


def move_category(catalog: str, old: str, new: str, /, *, bundle: Path | None = None) -> None:
    """Rename a category, merge it into another or move it, with all below it.

    Args:
        catalog: local directory, or s3://bucket/prefix.
        old: path of the category.
        new: path it shall have; products may be filed there already.
        bundle: directory of a bundle, to move a category that it knows and no product is filed at.
    """
    from catalog.reviews.queue import Reviews  # LanceDB takes seconds
    from catalog.store import Catalog

    opened, move = Catalog.open(catalog), Move(old, new)
    classes = () if bundle is None else read_bundle(bundle).document.classes
    fix = "If only a bundle knows it, name that with --bundle."
    require_known(move.old, classes, opened.categories(), opened.moves(), fix)
    products = opened.move_category(old, new)
    Reviews(catalog).move_category(move)
    done = f"{counted(products, 'product')} of {escape(move.old)} moved to {bold(move.new)}"
    if not products:
        done = f"No product is filed at {escape(move.old)}"
    Console().print(
        f"{done}; what a bundle says of it counts for {bold(move.new)}.", soft_wrap=True
    )


def forget_moves(catalog: str, /) -> None:
    """Let a bundle that was trained on the new paths use the old ones anew.

    Args:
        catalog: local directory, or s3://bucket/prefix.
    """
    from catalog.store import Catalog  # LanceDB takes seconds

    opened = Catalog.open(catalog)
    moves = opened.moves()
    opened.replace_moves([])
    Console().print(f"Forgot {counted(len(moves), 'move')} of categories.")


def export_reviews(catalog: str, directory: Path, /, *, excel: bool = False) -> None:
    """Write what people decided as a manifest to train with, and its photos.

    Args:
        catalog: local directory, or s3://bucket/prefix.
        directory: where manifest.csv, photos/ and names.csv (products without a photo) are written.
        excel: also write manifest.xlsx.
    """
    from catalog.reviews.export import write_labelled
    from catalog.reviews.queue import Reviews

    rows = write_labelled(Reviews(catalog).labelled(), directory, excel)
    Console().print(f"{bold(directory)} holds {counted(rows, 'row')}.", soft_wrap=True)


def backup(catalog: str, folder: str, /) -> None:
    """Copy products, photos, reviews and moved categories.

    Args:
        catalog: local directory, or s3://bucket/prefix.
        folder: of the backups, local or s3://; this one becomes a folder in it.
    """
    from catalog.backup import back_up  # LanceDB takes seconds

    with progress_bar("Copying products") as progress:
        made = back_up(catalog, folder, progress)
    Console().print(
        f"Backup {bold(made.version)} in {escape(folder)}: "
        f"{counted(made.products, 'product')}, {counted(made.reviews, 'review')}.",
        soft_wrap=True,
    )


def restore(folder: str, catalog: str, /, *, version: str | None = None) -> None:
    """Write what a backup holds; products that were added since are removed.

    Args:
        folder: of the backups, local or s3://.
        catalog: local directory, or s3://bucket/prefix.
        version: which of the backups; the newest if not given.
    """
    from catalog.backup import restore as run  # LanceDB takes seconds

    with progress_bar("Restoring products") as progress:
        found = run(folder, catalog, version, progress)
    Console().print(
        f"{bold(catalog)} is as it was in backup {found.version}: "
        f"{counted(found.products, 'product')}, {counted(found.reviews, 'review')}.",
        soft_wrap=True,
    )
