"""The errors users meet: each says what is wrong, where, and what to do.

`serve` maps them to RFC 9457 problem documents and `catalens.cli` to exit codes; nobody else does.
"""

from typing import ClassVar


class CatalensError(Exception):
    """Base of all errors that are the caller's to mend.

    Args:
        what: one sentence, what is wrong.
        where: the row, file, field or setting it is about.
        fix: one sentence, what to do.
    """

    type: ClassVar[str] = "error"

    def __init__(self, what: str, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.fix}" if self.fix else ""
        return f"{place}{self.what}{advice}"


class InvalidImage(CatalensError):
    """Bytes that no safe decoder can read as a photo."""

    type = "invalid-image"


class ImageTooLarge(CatalensError):
    """A photo over the byte or pixel limit."""

    type = "image-too-large"


class UnsupportedMediaType(CatalensError):
    """A body or file of a kind we do not read."""

    type = "unsupported-media-type"


class InvalidRequest(CatalensError):
    """A request or setting that does not fit its contract."""

    type = "invalid-request"


class UnknownModel(CatalensError):
    """A model or a version of it that is not served."""

    type = "unknown-model"


class UnknownProduct(CatalensError):
    """A product id that the catalog does not hold."""

    type = "unknown-product"


class UnknownReport(CatalensError):
    """A bundle that holds no report of its training."""

    type = "unknown-report"


class UnknownReview(CatalensError):
    """A review id that the queue does not hold."""

    type = "unknown-review"


class UnknownCategory(CatalensError):
    """A category path that the tree does not hold."""

    type = "unknown-category"


class Overloaded(CatalensError):
    """The bounded queue is full; try again later."""

    type = "overloaded"


class CatalogMissing(CatalensError):
    """A call that needs a catalog, where none is served."""

    type = "catalog-missing"


class Unreachable(CatalensError):
    """Storage that does not answer, or refuses."""

    type = "unreachable"


class InvalidBackup(CatalensError):
    """A backup that is not there or not whole."""

    type = "invalid-backup"


class EmbeddingMismatch(CatalensError):
    """A bundle and a catalog whose embeddings cannot be compared."""

    type = "embedding-mismatch"


class InvalidManifest(CatalensError):
    """A manifest that cannot be used, or has too many bad rows."""

    type = "invalid-manifest"


class InvalidBundle(CatalensError):
    """A bundle that is incomplete, of another schema, or changed since it was written."""

    type = "invalid-bundle"


class InvalidRun(CatalensError):
    """A training run directory that cannot be read, resumed or overwritten."""

    type = "invalid-run"


class DeviceUnavailable(CatalensError):
    """A device was asked for that this machine cannot give."""

    type = "device-unavailable"
