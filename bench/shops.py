"""The real shops that are measured on; they lie beside the checkout, not in it."""

from dataclasses import dataclass
from pathlib import Path

from catalog.errors import InvalidManifest
from catalog.manifest import Manifest, ManifestConfig, read_manifest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Shop:
    """A labelled set of photos.

    Attributes:
        name: what it is called in figures.
        manifest: its table.
    """

    name: str
    manifest: Path

    def rows(self, split: str) -> Manifest:
        """The rows of one split."""
        return read_manifest(str(self.manifest), ManifestConfig()).split(split)


FASHION = Shop("fashion", DATA / "fashion" / "products.csv")
GROCERY = Shop("grocery", DATA / "grocery" / "photos.csv")
DANCE = Shop("dance", DATA / "dance" / "train.csv")


def require(shop: Shop) -> Shop:
    """The shop, when its photos are there.

    Raises:
        InvalidManifest: they are not.
    """
    if not shop.manifest.exists():
        raise InvalidManifest(
            f"the photos of {shop.name} are not here.",
            where=str(shop.manifest),
            fix="Put the data set there; its source is named in docs/data.md.",
        )
    return shop
