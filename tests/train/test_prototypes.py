import numpy as np
from numpy.typing import NDArray

from catalog.familiarity import familiarity
from train.prototypes import fit_prototypes


def around(*centres: tuple[float, ...], count: int) -> NDArray[np.float32]:
    """Unit vectors near each centre."""
    rng = np.random.default_rng(0)
    found = np.concatenate([centre + 0.05 * rng.normal(size=(count, 3)) for centre in centres])
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_a_class_of_two_kinds_has_a_prototype_of_each() -> None:
    embeddings = around((1, 0, 0), (0, 1, 0), count=10)
    prototypes = fit_prototypes(embeddings, np.zeros(20, np.int64))
    assert familiarity(np.eye(3, dtype=np.float32)[:2], prototypes).min() > 0.98
    assert familiarity(np.eye(3, dtype=np.float32)[2:], prototypes)[0] < 0.3


def test_each_class_has_at_least_one_even_with_a_single_photo() -> None:
    embeddings = around((1, 0, 0), (0, 1, 0), count=5)
    targets = np.array([0] * 9 + [1])
    prototypes = fit_prototypes(embeddings, targets)
    assert familiarity(embeddings[9:], prototypes)[0] > 0.999


def test_prototypes_are_few_and_of_unit_length() -> None:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(3_000, 8)).astype(np.float32)
    prototypes = fit_prototypes(embeddings, np.arange(3_000) % 600)
    assert len(prototypes) == 600
    np.testing.assert_allclose(np.linalg.norm(prototypes, axis=1), 1.0, atol=1e-6)
