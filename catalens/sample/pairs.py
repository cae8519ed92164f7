"""The truth for matching: pairs of offers, each a name and a photo, that are one product or not."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalens.sample.names import fold
from catalens.sample.product import Product

_RECENT = 12  # how many earlier products of its category a product is compared with


@dataclass(frozen=True)
class Pair:
    """Two offers.

    Attributes:
        left_name: the first offer's name.
        left_image: its photo, relative to the shop's folder.
        right_name: the second offer's name.
        right_image: its photo.
        same: 1 where both are one product, else 0.
        split: the split of both products.
    """

    left_name: str
    left_image: str
    right_name: str
    right_image: str
    same: int
    split: str


def _words(text: str) -> frozenset[str]:
    return frozenset(fold(text).replace(",", " ").replace("-", " ").split())


def _alike(left: Product, right: Product) -> float:
    """How much of their words two names share, from 0 to 1."""
    a, b = _words(str(left.name)), _words(str(right.name))
    return len(a & b) / len(a | b)


def make_pairs(products: Iterable[Product], photos: int, variants: int) -> Iterator[Pair]:
    """Yields two pairs of one product and up to two of different products for every product.

    Different products are of one category and split: the sibling of the same line in another size
    or with another model code, and whichever of the last few has the most similar name.

    Args:
        products: the shop's products in their order.
        photos: how many photos each has.
        variants: how many names suppliers have for it, at least 1.
    """
    recent: dict[tuple[str, str], deque[tuple[Product, list[str]]]] = defaultdict(
        lambda: deque(maxlen=_RECENT)
    )
    for product in products:
        names = [str(product.name), *product.variants(variants)]
        images = [product.photo(number) for number in range(photos)]
        for left, right in ((0, 1), (2, 3)):
            left_name, right_name = names[left % len(names)], names[right % len(names)]
            yield Pair(
                left_name,
                images[left % photos],
                right_name,
                images[right % photos],
                1,
                product.split,
            )
        earlier = recent[product.category.path, product.split]
        ranked = sorted(
            earlier,
            key=lambda other: (other[0].index == product.sibling, _alike(product, other[0])),
            reverse=True,
        )
        for turn, (other, other_names) in enumerate(ranked[:2]):
            left_name, right_name = names[turn % len(names)], other_names[-1 - turn]
            if _words(left_name) == _words(right_name):
                continue
            yield Pair(
                left_name,
                images[turn % photos],
                right_name,
                other.photo((turn + 1) % photos),
                0,
                product.split,
            )
        earlier.append((product, names))
