"""Fitting on the drawn shop's pairs: a new bundle that knows its names, and the same graphs."""

from dataclasses import replace
from pathlib import Path

import pytest

from catalens.sample import SampleConfig, draw_shop
from catalog.errors import InvalidBundle, InvalidManifest
from catalog.pairs import Pairs, read_pairs
from export.matching import FittedMatching, fit_matching
from inference.bundle import Bundle, read_bundle
from inference.pairs import SeenPair, evaluate_matching, see_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    shop = tmp_path_factory.mktemp("drawn") / "shop"
    draw_shop(shop, SampleConfig(products=240, photos=2, size=64))
    return read_pairs(str(shop / "pairs.csv"))


@pytest.fixture(scope="module")
def seen(bundle: Bundle, pairs: Pairs) -> list[SeenPair]:
    found, bad = see_pairs(bundle, pairs.to_learn().rows)
    assert not bad
    return found


@pytest.fixture(scope="module")
def judged(bundle: Bundle, pairs: Pairs) -> list[SeenPair]:
    return see_pairs(bundle, pairs.to_judge(None).rows)[0]


@pytest.fixture(scope="module")
def fitting(
    bundle: Bundle, seen: list[SeenPair], tmp_path_factory: pytest.TempPathFactory
) -> FittedMatching:
    directory = tmp_path_factory.mktemp("fitted") / "bundle"
    return fit_matching(bundle, seen, directory, source="pairs.csv")


@pytest.fixture(scope="module")
def fitted(fitting: FittedMatching) -> Bundle:
    return fitting.bundle


def test_what_was_learnt_scores_unseen_pairs_better_than_the_default(
    bundle: Bundle, fitted: Bundle, judged: list[SeenPair]
) -> None:
    before, after = (evaluate_matching(one, judged) for one in (bundle, fitted))
    assert after.pairs == len(judged)
    assert after.f1 > before.f1


def test_names_alone_are_scored_better_too(
    bundle: Bundle, fitted: Bundle, judged: list[SeenPair]
) -> None:
    names = [replace(one, image_similarity=None) for one in judged]
    before, after = (evaluate_matching(one, names) for one in (bundle, fitted))
    assert after.f1 > before.f1


def test_graphs_and_embedding_stay_and_the_version_changes(bundle: Bundle, fitted: Bundle) -> None:
    assert fitted.document.variants == bundle.document.variants
    assert fitted.document.embedding_id == bundle.document.embedding_id
    assert fitted.document.examples == bundle.document.examples
    assert fitted.document.version != bundle.document.version
    assert fitted.document.provenance["matching"] == "pairs.csv"


def test_a_fitted_bundle_reads_as_it_was_fitted(fitting: FittedMatching) -> None:
    assert read_bundle(fitting.bundle.directory).match_model == fitting.model
    assert fitting.model.names.statistics.names > 100


def test_the_same_pairs_give_the_same_bundle(
    bundle: Bundle, seen: list[SeenPair], fitted: Bundle, tmp_path: Path
) -> None:
    again = fit_matching(bundle, seen, tmp_path / "again", source="pairs.csv").bundle
    assert again.document.version == fitted.document.version


def test_pairs_of_photos_alone_leave_the_names_model_as_it_was(
    fitted: Bundle, seen: list[SeenPair], tmp_path: Path
) -> None:
    photos = [
        replace(
            one,
            pair=replace(
                one.pair,
                left=replace(one.pair.left, name=None),
                right=replace(one.pair.right, name=None),
            ),
        )
        for one in seen
    ]
    refitted = fit_matching(fitted, photos, tmp_path / "photos", source="p")
    assert refitted.model.names == fitted.match_model.names


def test_the_decisions_are_as_precise_as_asked_for(
    bundle: Bundle, seen: list[SeenPair], tmp_path: Path
) -> None:
    names = [replace(one, image_similarity=None) for one in seen]
    easy, strict = (
        fit_matching(
            bundle, names, tmp_path / str(wanted), source="p", precision=wanted
        ).bundle.match_model
        for wanted in (0.9, 0.99)
    )
    assert easy.different_at <= easy.match_at <= easy.same_at
    assert strict.same_at > easy.same_at
    assert strict.different_at <= easy.different_at + 1e-9


def test_too_few_pairs_of_a_kind_are_refused(
    bundle: Bundle, seen: list[SeenPair], tmp_path: Path
) -> None:
    same = [one for one in seen if one.pair.same]
    with pytest.raises(InvalidManifest, match="at least 20 of either"):
        fit_matching(bundle, same, tmp_path / "new", source="p")


def test_a_bundle_is_never_written_over(bundle: Bundle, seen: list[SeenPair]) -> None:
    with pytest.raises(InvalidBundle, match="already exists"):
        fit_matching(bundle, seen, bundle.directory, source="p")


def test_a_pair_with_an_unreadable_photo_is_left_out_and_named(
    bundle: Bundle, pairs: Pairs, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    first, second = pairs.rows[:2]
    first = replace(first, left=replace(first.left, image=str(broken)))
    kept, bad = see_pairs(bundle, [first, second])
    assert [one.pair for one in kept] == [second]
    assert (bad[0].line, bad[0].image) == (first.line, str(broken))
