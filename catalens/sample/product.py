"""One product of the sample shop: what it is, made from the seed and its number alone."""

from dataclasses import dataclass

import numpy as np

from catalens.sample.look import COLOURS, Look, make_look
from catalens.sample.names import Name, make_name, sibling_name, variant
from catalens.sample.pen import Pen
from catalens.sample.scene import photograph
from catalens.sample.tree import TREE, Category

# The splits of a category's products, in the order they come: 14 train, 3 val, 3 test of 20.
_SPLITS = tuple({"T": "train", "V": "val", "S": "test"}[c] for c in "TVSTTTTTVTSTTTTVTSTT")
# What the generators of a product, default_rng([seed, number, purpose]), are for.
_WORDS, _LOOK, _SHAPE, _VARIANTS, _PHOTOS = range(5)


@dataclass(frozen=True)
class Product:
    """A product.

    Attributes:
        index: its number in the shop, from 0.
        seed: the shop's seed.
        category: its leaf of the tree.
        split: `train`, `val` or `test`.
        name: its name, in parts.
        colour: its main colour.
        sibling: the number of the product of the same line that came before it, if any.
    """

    index: int
    seed: int
    category: Category
    split: str
    name: Name
    colour: str
    sibling: int | None

    @property
    def id(self) -> str:
        """The product's id in the manifest."""
        return f"p{self.index:05d}"

    @property
    def look(self) -> Look:
        """Its colours and its decal."""
        brand = self.name.brand.split()[0]
        return make_look(self.colour, brand, np.random.default_rng([self.seed, self.index, _LOOK]))

    def photo(self, number: int) -> str:
        """Returns the path of photo `number` (from 0), relative to the shop's folder."""
        return f"photos/{self.id}-{number + 1}.jpg"

    def variants(self, count: int) -> list[str]:
        """Returns `count` ways to write the product's name, no two equal if that can be had."""
        rng = np.random.default_rng([self.seed, self.index, _VARIANTS])
        found: list[str] = []
        for _ in range(8 * count):
            text = variant(self.name, rng)
            if text not in found:
                found.append(text)
            if len(found) == count:
                break
        return found


def _before(rank: int) -> int | None:
    """The rank of the same split's product that shares the line of product `rank`, if it is one."""
    same = [k for k in range(rank % 20) if _SPLITS[k] == _SPLITS[rank % 20]]
    return rank - rank % 20 + same[-1] if len(same) % 2 else None


def make_product(seed: int, index: int) -> Product:
    """Returns product number `index` of the shop with this seed, whatever the shop's size."""
    category = TREE[index % len(TREE)]
    rank = index // len(TREE)
    rng = np.random.default_rng([seed, index, _WORDS])
    before = _before(rank)
    sibling = None if before is None else before * len(TREE) + index % len(TREE)
    if before is None or sibling is None:
        colour = str(rng.choice(list(COLOURS)))
        shift = 53 * (seed + index % len(TREE))
        name = make_name(category, rank, shift, colour, rng)
    else:
        first = make_product(seed, sibling)
        colour, name = first.colour, sibling_name(first.name, category, rng)
    return Product(index, seed, category, _SPLITS[rank % 20], name, colour, sibling)


def draw_photos(product: Product, photos: int, size: int) -> list[bytes]:
    """Draws a product and photographs it.

    Args:
        product: the product.
        photos: how many photos.
        size: their side in pixels.

    Returns:
        JPEG files; a photo does not depend on how many there are.
    """
    seeds = [product.seed, product.index]
    look = product.look
    sprites = {}
    files = []
    for number in range(photos):
        rng = np.random.default_rng([*seeds, _PHOTOS, number])
        mirror = bool(rng.random() < 0.4)
        if mirror not in sprites:
            pen = Pen(round(1.25 * size), mirror)
            product.category.draw(pen, look, np.random.default_rng([*seeds, _SHAPE]))
            sprites[mirror] = pen.sprite()
        files.append(photograph(sprites[mirror], size, rng))
    return files
