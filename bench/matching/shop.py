"""Photo and name together: the final score on the drawn shop, beside what it is made of."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz import fuzz
from scipy.fft import dctn

from bench.figures import Figures, share_interval
from bench.matching.f1 import add_f1
from bench.steps import catalens
from catalog.manifest import Row
from catalog.match import score_pair
from catalog.names import normalise
from catalog.pairs import Pair, Pairs, read_pairs
from catalog.store import Catalog
from inference.bundle import Bundle, read_bundle
from inference.neighbours import MOST_NEIGHBOURS
from inference.pairs import SeenPair, scores_of, see_pairs
from inference.photos import SeenRow, see_rows
from inference.session import Session

_PRODUCTS: Final = 20_000
_PHOTOS: Final = 2
_SIDE: Final = 160
_HASH: Final = 8
_ASKED: Final = 1_000

Floats = NDArray[np.float64]


def measure_shop(figures: Figures, work: Path) -> None:
    """Add `f1_shop` of `fit-matching` and of each simple score, thresholds chosen on train.

    Also `f1_shop_from_catalog`, fitted to the catalog of train instead of to pairs, and
    `shop_candidates_...`: how often a product, asked about by another photo and name, is among its
    neighbours in the whole catalog by photo, by name and in the union of both.

    Args:
        figures: to add to.
        work: where the shop, its bundles and its catalog are kept.
    """
    shop = work / "large-shop"
    if not (shop / "manifest.csv").exists():
        size = ("--products", str(_PRODUCTS), "--photos", str(_PHOTOS), "--size", str(_SIDE))
        catalens("sample", shop, *size)
    bundle, fitted, of_catalog = _bundles(shop, work)
    pairs = read_pairs(str(shop / "pairs.csv"))
    learn, judge = (_seen(bundle, part) for part in (pairs.to_learn(), pairs.to_judge("val")))
    scores: dict[str, Callable[[Sequence[SeenPair]], Floats]] = {
        "f1_shop": lambda seen: np.array(scores_of(fitted, seen)),
        "f1_shop_from_catalog": lambda seen: np.array(scores_of(of_catalog, seen)),
        "f1_shop_default": lambda seen: np.array(scores_of(bundle, seen)),
        "f1_shop_image": lambda seen: _alone(fitted, seen, "image"),
        "f1_shop_name": lambda seen: _alone(fitted, seen, "name"),
        "f1_shop_plain_mean": _plain_mean,
        "f1_shop_perceptual_hash": _perceptual_hash,
    }
    for key, score in scores.items():
        add_f1(figures, key, _same(learn), score(learn), _same(judge), score(judge))
    _candidates(figures, work, shop)


def _bundles(shop: Path, work: Path) -> tuple[Bundle, Bundle, Bundle]:
    """Not fitted, fitted to pairs, fitted to the catalog of train."""
    run, bundle = work / "shop-run", work / "shop-bundle"
    manifest = shop / "manifest.csv"
    if not bundle.exists():
        catalens("train", manifest, "--run", run, "--recipe", "probe")
        catalens("export", run, bundle)
    catalog = work / "shop-catalog"
    if not catalog.exists():
        catalens("import", bundle, manifest, catalog, "--split", "train")
    fitted, of_catalog = work / "shop-fitted", work / "shop-of-catalog"
    if not fitted.exists():
        catalens("fit-matching", bundle, shop / "pairs.csv", fitted)
    if not of_catalog.exists():
        catalens("fit-matching", bundle, catalog, of_catalog)
    return read_bundle(bundle), read_bundle(fitted), read_bundle(of_catalog)


def _seen(bundle: Bundle, pairs: Pairs) -> list[SeenPair]:
    seen, unreadable = see_pairs(bundle, pairs.rows, device="cpu")
    assert not unreadable
    return seen


def _same(pairs: Sequence[SeenPair]) -> NDArray[np.bool_]:
    return np.array([one.pair.same for one in pairs])


def _alone(bundle: Bundle, pairs: Sequence[SeenPair], side: str) -> Floats:
    model = bundle.match_model
    scores = []
    for one in pairs:
        left, right = one.pair.left.name or "", one.pair.right.name or ""
        names = model.names.compare(left, right) if side == "name" else None
        cosine = one.image_similarity if side == "image" else None
        scores.append(score_pair(model, cosine, names).score)
    return np.array(scores)


def _plain_mean(pairs: Sequence[SeenPair]) -> Floats:
    """Of the cosine and RapidFuzz's token-set ratio."""
    return np.array(
        [
            (one.image_similarity or 0.0)
            + fuzz.token_set_ratio(_lower(one.pair, "left"), _lower(one.pair, "right")) / 100
            for one in pairs
        ]
    )


def _lower(pair: Pair, side: str) -> str:
    return (getattr(pair, side).name or "").lower()


def _perceptual_hash(pairs: Sequence[SeenPair]) -> Floats:
    """Share of equal bits of the photos' DCT hashes."""
    known: dict[str, NDArray[np.bool_]] = {}

    def hashed(path: str) -> NDArray[np.bool_]:
        if path not in known:
            with Image.open(io.BytesIO(Path(path).read_bytes())) as image:
                grey = np.asarray(image.convert("L").resize((32, 32)), float)
            low = dctn(grey, norm="ortho")[:_HASH, :_HASH].ravel()[1:]
            known[path] = low > np.median(low)
        return known[path]

    return np.array(
        [
            (hashed(one.pair.left.image or "") == hashed(one.pair.right.image or "")).mean()
            for one in pairs
        ]
    )


def _candidates(figures: Figures, work: Path, shop: Path) -> None:
    """The catalog has each product's first photo; asked is by the second."""
    place, manifest = work / "shop-candidates", work / "first-photos.csv"
    bundle = read_bundle(work / "shop-bundle")
    if not place.exists():
        with (
            (shop / "manifest.csv").open(newline="", encoding="utf-8") as source,
            manifest.open("w", newline="", encoding="utf-8") as out,
        ):
            rows = csv.DictReader(source)
            table = csv.DictWriter(out, rows.fieldnames or ())
            table.writeheader()
            table.writerows(row for row in rows if row["image"].endswith("-1.jpg"))
        catalens("import", bundle.directory, manifest, place, "--image-root", shop)
    catalog = Catalog.open(str(place))
    pairs = [one for one in read_pairs(str(shop / "pairs.csv")).to_judge("val").rows if one.same]
    asked = {_product_of(pair): pair.right.name or "" for pair in pairs}
    asked = dict(list(asked.items())[:_ASKED])
    photos = {one: str(shop / "photos" / f"{one}-2.jpg") for one in asked}
    vectors = _embeddings(bundle, list(photos.values()))
    found: dict[str, list[bool]] = {"photo": [], "name": [], "union": []}
    for one, name in asked.items():
        hits = catalog.search_image(vectors[photos[one]], MOST_NEIGHBOURS)
        by_photo = {hit.product.id for hit in hits}
        by_name = set()
        if normalise(name).text:
            by_name = {hit.product.id for hit in catalog.search_name(name, MOST_NEIGHBOURS)}
        found["photo"].append(one in by_photo)
        found["name"].append(one in by_name)
        found["union"].append(one in by_photo | by_name)
    for key, there in found.items():
        share = np.array(there)
        figures.add(f"shop_candidates_{key}", share.mean(), share_interval(share))


def _product_of(pair: Pair) -> str:
    return Path(pair.right.image or "").stem.rpartition("-")[0]


def _embeddings(bundle: Bundle, photos: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    rows = [Row(0, photo, None, None, photo, None) for photo in dict.fromkeys(photos)]
    session = Session(bundle, device="cpu", threads=1)
    return {
        one.row.id: one.embedding
        for one in see_rows(session, rows)
        if isinstance(one, SeenRow) and one.embedding is not None
    }
