"""`classify`, `compare` and `categorize`: one question, to a bundle or to a server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.table import Table

from catalens.answers import Categorisation, Classified, Comparison
from catalens.cli.explained import show_explained
from catalens.cli.local import LocalBundle
from catalens.cli.markup import bold, cells
from catalens.cli.server import asked_server
from catalens.client import Client, ClientError
from catalog.errors import CatalensError, ImageTooLarge, InvalidImage, InvalidRequest
from catalog.precision import TARGET_PRECISION
from catalog.tables import read_bytes

Json = Annotated[bool, Parameter(name="--json")]

_OF_ONE_PHOTO = (InvalidImage.type, ImageTooLarge.type)


def classify(
    bundle_or_url: str,
    photos: list[Path],
    /,
    *,
    top_k: Annotated[int, Parameter(validator=Number(gte=1))] = 5,
    level: int | None = None,
    explain: bool = False,
    as_json: Json = False,
) -> int:
    """Classify photos; one that cannot be read does not stop the others.

    Args:
        bundle_or_url: directory of a bundle, or http:// address of a server.
        photos: files of photos.
        top_k: categories and tags shown per photo.
        level: answer at this depth of the tree; as deep as is certain if not given.
        explain: say why: PHOTO-explained.jpg in this directory shows the photo, bright where it
            mattered, and beside it the training photos most like it.
        as_json: print JSON.
    """
    model = ""
    results: list[dict[str, Any]] = []
    with _asked(bundle_or_url) as asked:
        for photo in photos:
            try:
                found = asked.classify([_bytes(photo)], top_k=top_k, level=level, explain=explain)
            except (CatalensError, ClientError) as error:
                if error.type not in _OF_ONE_PHOTO:
                    raise
                console = Console(stderr=True)
                said = f"{error}" if error.where == str(photo) else f"{photo}: {error}"
                console.print(said, style="red", markup=False, soft_wrap=True)
                continue
            model = found.model
            results.append({"photo": str(photo), **found.results[0].model_dump(exclude_unset=True)})
            if as_json:
                continue
            _show_classified(photo, found.results[0])
            if found.results[0].explanation is not None:
                show_explained(photo, found.results[0].explanation)
    if as_json:
        _print_json({"model": model, "results": results})
    return 0 if len(results) == len(photos) else 1


def compare(
    bundle_or_url: str,
    /,
    *,
    left_photo: Path | None = None,
    left_name: str | None = None,
    right_photo: Path | None = None,
    right_name: str | None = None,
    as_json: Json = False,
) -> None:
    """Compare two products.

    Args:
        bundle_or_url: directory of a bundle, or http:// address of a server.
        left_photo: file of one product's photo.
        left_name: its name.
        right_photo: file of the other product's photo.
        right_name: its name.
        as_json: print JSON.
    """
    with _asked(bundle_or_url) as asked:
        found = asked.compare(
            left_photo=_bytes(left_photo) if left_photo else None,
            left_name=left_name,
            right_photo=_bytes(right_photo) if right_photo else None,
            right_name=right_name,
        )
    if as_json:
        _print_json(found.model_dump())
    else:
        _show_compared(found)


def categorize(
    bundle_or_url: str,
    /,
    *,
    catalog: str | None = None,
    photo: Path | None = None,
    name: str | None = None,
    precision: float = TARGET_PRECISION,
    as_json: Json = False,
) -> None:
    """Categorise a product.

    Args:
        bundle_or_url: directory of a bundle, or http:// address of a server, which has its own
            catalog.
        catalog: directory or s3:// prefix of the catalog to search.
        photo: file of the product's photo.
        name: the product's name.
        precision: how often answers that need no person must be right.
        as_json: print JSON.
    """
    with _asked(bundle_or_url, catalog) as asked:
        encoded = _bytes(photo) if photo else None
        found = asked.categorize(photo=encoded, name=name, precision=precision)
    if as_json:
        _print_json(found.model_dump())
    else:
        _show_categorised(found)


@contextmanager
def _asked(bundle_or_url: str, catalog: str | None = None) -> Iterator[LocalBundle | Client]:
    """A bundle on this machine or a server, with the server's refusals as our own errors."""
    if not bundle_or_url.startswith(("http://", "https://")):
        yield LocalBundle(bundle_or_url, catalog)
        return
    if catalog is not None:
        raise InvalidRequest(
            "the server has a catalog of its own.", where="--catalog", fix="Leave it out."
        )
    with asked_server(bundle_or_url) as client:
        yield client


def _bytes(photo: Path) -> bytes:
    if photo.is_dir():
        raise InvalidImage(
            "it is a folder.", where=str(photo), fix=f"Name its photos, such as {photo}/*.jpg."
        )
    return read_bytes(str(photo))


def _print_json(value: dict[str, Any]) -> None:
    Console().print(json.dumps(value, indent=2), markup=False, highlight=False, soft_wrap=True)


def _show_classified(photo: Path, found: Classified) -> None:
    table = Table("category", "probability")
    for one in found.categories:
        table.add_row(*cells(one.path, f"{one.probability:.2f}"))
    answer = found.answer
    console = Console()
    console.print(f"{photo}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{bold(answer.path)} {answer.probability:.2f}, {answer.decision}")
    console.print(table)
    if found.tags:
        shown = (f"{one.tag} {one.probability:.2f}" for one in found.tags)
        console.print(f"tags: {', '.join(shown)}", markup=False, highlight=False, soft_wrap=True)


def _show_compared(found: Comparison) -> None:
    console = Console()
    console.print(f"{bold(found.decision)} {found.score:.2f}")
    for what, similarity in (
        ("photos", found.image_similarity),
        ("names", found.name_similarity),
    ):
        if similarity is not None:
            console.print(f"  {what:7} {similarity:.2f}")
    for reason in found.name_reasons:
        console.print(f"          {reason}", markup=False, highlight=False)


def _show_categorised(found: Categorisation) -> None:
    console = Console()
    console.print(f"{bold(found.path or 'no category')} {found.score:.2f}, {found.decision}")
    if found.alternatives:
        table = Table("or", "probability")
        for one in found.alternatives:
            table.add_row(*cells(one.path, f"{one.probability:.2f}"))
        console.print(table)
    if found.evidence:
        table = Table("like", "filed under", "photo", "name", "the same")
        for near in found.evidence:
            similarities = (near.image_similarity, near.name_similarity)
            table.add_row(
                *cells(
                    near.name or near.id,
                    near.path,
                    *("" if value is None else f"{value:.2f}" for value in similarities),
                    f"{near.score:.2f}",
                )
            )
        console.print(table)
