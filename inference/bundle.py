"""The bundle: an immutable directory with the exported graphs and all that is needed to use them.

Its version is a hash of its content. Every file is checked against its SHA-256 when the bundle
is read; nothing in it is unpickled.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalog.errors import InvalidBundle, InvalidRequest
from catalog.examples import Examples, read_examples
from catalog.images import ImageSpec
from catalog.match import DEFAULT_MATCH_MODEL, MatchModel
from catalog.names import DEFAULT_NAME_MODEL, NameModel
from catalog.names.categories import NameCategories, read_name_categories
from catalog.pool import CategoriseWeights
from catalog.tags import TagModel, read_tag_model
from catalog.tree import CategoryTree

DOCUMENT = "bundle.json"
_PROTOTYPES = "prototypes.npy"
_NAMES = "names.json"
# Files that are copied as they are, by their field of the document.
_COPIED = {
    "examples": "examples.parquet",
    "tags": "tags.npz",
    "name_categories": "name_categories.npz",
    "report": "report.html",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variant(_Part):
    """One graph of the bundle.

    Attributes:
        file: its name in the bundle.
        sha256: of the file.
        accuracy: top-1 on held-out photos of training, the same for every variant; a fraction.
        agreement: share of those photos with the same top-1 as fp32.
        embedding_cosine: the smallest between its embedding of such a photo and fp32's.
        photos: how many they were.
        images_per_second: in-process on the exporting machine's CPU, fp16 too.
        batch_size: that it was timed with.
    """

    file: str = Field(pattern=r"^[\w-][\w.-]*$")
    sha256: str
    accuracy: float | None = None
    agreement: float | None = None
    embedding_cosine: float | None = None
    photos: int | None = None
    images_per_second: float | None = None
    batch_size: int | None = None


class Thresholds(_Part):
    """When an answer is given without a person.

    Attributes:
        certainty: rolled-up probability a category must reach to be the answer.
        unknown: a photo whose likeliest class stays below this is like nothing learnt.
        unfamiliar: and so is one whose embedding has a lower cosine to every prototype; None
            without prototypes.
    """

    certainty: float = Field(ge=0, le=1)
    unknown: float = Field(ge=0, le=1)
    unfamiliar: float | None = Field(default=None, ge=-1, le=1)


class KeptFile(_Part):
    """A file of the bundle beside its graphs.

    Attributes:
        file: its name in the bundle.
        sha256: of the file.
    """

    file: str = Field(pattern=r"^[\w-][\w.-]*$")
    sha256: str


class BundleDocument(_Part):
    """bundle.json.

    Attributes:
        schema_version: of this document.
        version: hash of the bundle's content.
        classes: category paths in the order of the graph's outputs.
        image: geometry of the decode; the graph normalises by itself.
        temperature: the logits were divided by this inside the graph.
        thresholds: when to answer alone.
        embedding_id: hash of all that decides the embedding.
        embedding_dimension: its width.
        variants: graphs by name (fp32, fp16, int8).
        prototypes: what the training photos look like, float32 [P, D] of unit length as numpy
            writes it; None in bundles made before there were any.
        examples: training photos to show, as `catalog.examples` writes them; None likewise.
        tags: the tag model, as `catalog.tags` writes it; None without one.
        categorise: how parts are weighed, as `CategoriseWeights.to_json` writes it; None for the
            default.
        match: the match model without what compares names, as JSON.
        name_categories: what a name says of its category, as `catalog.names.categories` writes it;
            None where the shop's products had no names.
        report: of the run, a page for people; None in bundles made before there was one.
        names: what compares names, as `NameModel.to_json` writes it; None where the default does.
        provenance: run, data, versions it was made from.
    """

    schema_version: Literal[1] = 1
    version: str
    classes: tuple[str, ...] = Field(min_length=1)
    image: ImageSpec
    temperature: float = Field(gt=0)
    thresholds: Thresholds
    embedding_id: str
    embedding_dimension: int = Field(gt=0)
    variants: dict[str, Variant] = Field(min_length=1)
    prototypes: KeptFile | None = None
    examples: KeptFile | None = None
    tags: KeptFile | None = None
    name_categories: KeptFile | None = None
    report: KeptFile | None = None
    names: KeptFile | None = None
    categorise: dict[str, Any] | None = None
    match: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk."""

    directory: Path
    document: BundleDocument

    @property
    def tree(self) -> CategoryTree:
        """The tree of the bundle's classes."""
        return CategoryTree(self.document.classes)

    @cached_property
    def match_model(self) -> MatchModel:
        """The match model that came with the bundle."""
        kept = self.document.names
        if kept is None:
            return MatchModel.from_json(self.document.match)
        file = self.directory / kept.file
        try:
            names = NameModel.from_json(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, InvalidRequest) as error:
            raise InvalidBundle(f"cannot be read ({error}).", where=str(file)) from error
        return MatchModel.from_json(self.document.match, names)

    @property
    def categorise_weights(self) -> CategoriseWeights:
        """How the parts of categorising are weighed."""
        return CategoriseWeights.from_json(self.document.categorise or {})

    @cached_property
    def prototypes(self) -> NDArray[np.float32] | None:
        """Embeddings that stand for the training photos, float32 [P, D]; None in older bundles."""
        kept = self.document.prototypes
        if kept is None:
            return None
        found: NDArray[np.float32] = np.load(self.directory / kept.file, allow_pickle=False)
        return found

    @cached_property
    def examples(self) -> Examples | None:
        """Training photos to show beside an answer, read when first asked for.

        None in older bundles.
        """
        kept = self.document.examples
        return None if kept is None else read_examples(self.directory / kept.file)

    @cached_property
    def tags(self) -> TagModel | None:
        """What judges tags by the embedding; None where the training photos had none."""
        kept = self.document.tags
        return None if kept is None else read_tag_model(self.directory / kept.file)

    @cached_property
    def name_categories(self) -> NameCategories | None:
        """What a name says of its category; None where the shop's products had no names."""
        kept = self.document.name_categories
        return None if kept is None else read_name_categories(self.directory / kept.file)

    @property
    def report(self) -> Path | None:
        """The run's report, a page for people; None in older bundles."""
        kept = self.document.report
        return None if kept is None else self.directory / kept.file

    def files(self) -> dict[str, Path]:
        """The files beside graphs, prototypes and the match model, as `write_bundle` takes them."""
        kept = {key: getattr(self.document, key) for key in _COPIED}
        return {key: self.directory / one.file for key, one in kept.items() if one is not None}

    def graph(self, variant: str) -> Path:
        """Path of a variant's graph.

        Raises:
            InvalidBundle: the bundle has no such variant.
        """
        found = self.document.variants.get(variant)
        if found is None:
            raise InvalidBundle(
                f"no variant {variant!r}; it has {', '.join(self.document.variants)}.",
                where=str(self.directory),
            )
        return self.directory / found.file


def read_bundle(directory: Path | str) -> Bundle:
    """Read a bundle and verify every file's checksum and the version.

    Raises:
        InvalidBundle: missing, of another schema, or changed since it was written.
    """
    directory = Path(directory)
    path = directory / DOCUMENT
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidBundle(
            f"no {DOCUMENT} here, so it is no bundle.",
            where=str(directory),
            fix="`catalens export RUN BUNDLE` makes one.",
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidBundle(f"cannot be read ({error}).", where=str(path)) from error
    try:
        document = BundleDocument.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidBundle(f"field {field!r}: {first['msg']}.", where=str(path)) from error
    # As it was written: a field that came later must not change an older bundle's version.
    if _version(raw) != document.version:
        raise InvalidBundle(
            "its content does not match its version: it was changed after export.",
            where=str(path),
            fix="Export again, or copy the whole bundle again.",
        )
    for name, variant in document.variants.items():
        _verify(directory / variant.file, variant.sha256, f"the graph of variant {name}")
    for key in ("prototypes", "names", *_COPIED):
        kept: KeptFile | None = getattr(document, key)
        if kept is not None:
            _verify(directory / kept.file, kept.sha256, f"the file of {key.replace('_', ' ')}")
    return Bundle(directory, document)


def refuse_taken(directory: Path) -> None:
    """Refuse to write a bundle where something is.

    Raises:
        InvalidBundle: the directory exists.
    """
    if directory.exists():
        raise InvalidBundle(
            "already exists, and bundles are immutable.",
            where=str(directory),
            fix="Name another directory.",
        )


def write_bundle(
    directory: Path,
    fields: Mapping[str, Any],
    graphs: Mapping[str, tuple[Path, dict[str, Any]]],
    prototypes: NDArray[np.float32] | None = None,
    files: Mapping[str, Path] = MappingProxyType({}),
    match: MatchModel = DEFAULT_MATCH_MODEL,
) -> Bundle:
    """Write a new bundle: all or nothing, and never over another.

    Args:
        directory: where; must not exist.
        fields: of `BundleDocument`, without ``version``, ``match`` and all that has files.
        graphs: per variant, the graph's file (copied) and the measured facts of `Variant`.
        prototypes: float32 [P, D] of the training photos, if there are any.
        files: of ``examples``, ``tags``, ``name_categories`` and ``report``, those that there are.
        match: the match model.

    Raises:
        InvalidBundle: the directory exists.
    """
    refuse_taken(directory)
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    variants = {}
    for name, (graph, facts) in graphs.items():
        file = f"model.{name}.onnx"
        shutil.copyfile(graph, unfinished / file)
        variants[name] = Variant(file=file, sha256=_sha256(unfinished / file), **facts)
    kept: dict[str, Any] = {}
    if prototypes is not None:
        np.save(unfinished / _PROTOTYPES, prototypes, allow_pickle=False)
        kept["prototypes"] = _kept(unfinished / _PROTOTYPES)
    for key, source in files.items():
        shutil.copyfile(source, unfinished / _COPIED[key])
        kept[key] = _kept(unfinished / _COPIED[key])
    if match.names is not DEFAULT_NAME_MODEL:
        names = json.dumps(match.names.to_json(), ensure_ascii=False)
        (unfinished / _NAMES).write_text(names, encoding="utf-8")
        kept["names"] = _kept(unfinished / _NAMES)
    draft = BundleDocument(version="", variants=variants, match=match.to_json(), **kept, **fields)
    document = draft.model_copy(update={"version": _version(draft.model_dump(mode="json"))})
    (unfinished / DOCUMENT).write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
    unfinished.rename(directory)
    return Bundle(directory, document)


def rewrite_match(bundle: Bundle, directory: Path, match: MatchModel, source: str) -> Bundle:
    """Write a new bundle with another match model and everything else as it was.

    Args:
        bundle: the one to take the rest from.
        directory: of the new one; must not exist.
        match: its match model.
        source: what that was fitted to; goes into the provenance.

    Raises:
        InvalidBundle: the directory exists.
    """
    document = bundle.document
    written = {"version", "variants", "prototypes", "names", "match", *_COPIED}
    fields = document.model_dump(mode="json", exclude=written)
    fields["provenance"] = {**document.provenance, "matching": source}
    graphs = {
        name: (bundle.graph(name), variant.model_dump(exclude={"file", "sha256"}))
        for name, variant in document.variants.items()
    }
    return write_bundle(directory, fields, graphs, bundle.prototypes, bundle.files(), match)


def _version(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "version"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _kept(path: Path) -> KeptFile:
    return KeptFile(file=path.name, sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(path: Path, expected: str, what: str) -> None:
    try:
        actual = _sha256(path)
    except OSError as error:
        raise InvalidBundle(f"{what} cannot be read ({error}).", where=str(path)) from error
    if actual != expected:
        raise InvalidBundle(
            f"{what} was changed: its SHA-256 is {actual[:12]}..., "
            f"bundle.json says {expected[:12]}....",
            where=str(path),
            fix="Copy the bundle again from where it was exported.",
        )
