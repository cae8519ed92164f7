import numpy as np
import pytest
from numpy.typing import NDArray

from train.tags import learn_tags


def _shop(photos: int = 400) -> tuple[NDArray[np.float32], list[tuple[str, ...]]]:
    """Unit embeddings whose first two directions are two tags, each of a third of the photos."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(photos, 16)).astype(np.float32)
    has = rng.random((photos, 2)) < 1 / 3
    embeddings[:, :2] += 5 * has
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    names = np.array(["red", "round"])
    return embeddings, [("any", *names[own]) for own in has]


def test_tags_are_told_on_photos_that_were_set_aside() -> None:
    embeddings, tags = _shop()
    learnt = learn_tags(embeddings, tags, np.arange(300), np.arange(300, 400))
    assert learnt is not None
    assert learnt.model.names == ("red", "round")
    assert min(learnt.average_precision.values()) > 0.9
    shares = learnt.model.probabilities(embeddings[300:])
    said = np.array([["red" in own, "round" in own] for own in tags[300:]])
    assert float(shares.mean()) == pytest.approx(float(said.mean()), abs=0.05)


def test_a_tag_that_all_or_hardly_any_photos_have_is_named_and_left_out() -> None:
    embeddings, tags = _shop()
    tags = [(*own, "rare") if row < 2 else own for row, own in enumerate(tags)]
    learnt = learn_tags(embeddings, tags, np.arange(300), np.arange(300, 400))
    assert learnt is not None
    assert learnt.left_out == ("any", "rare")
    assert learnt.to_json()["left_out"] == ["any", "rare"]


def test_nothing_is_learnt_from_photos_without_tags() -> None:
    embeddings, tags = _shop()
    whole = learn_tags(embeddings[:300], tags[:300], np.arange(200), np.arange(200, 300))
    more = [*tags[:300], *[()] * 100]
    with_untagged = learn_tags(
        embeddings, more, np.r_[np.arange(200), np.arange(300, 400)], np.arange(200, 300)
    )
    assert whole is not None
    assert with_untagged is not None
    assert np.allclose(whole.model.weight, with_untagged.model.weight)


def test_a_shop_without_tags_has_no_tag_model() -> None:
    embeddings, _ = _shop()
    assert learn_tags(embeddings, [()] * 400, np.arange(300), np.arange(300, 400)) is None
