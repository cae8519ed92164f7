import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf_shrinkage, shrunk_covariance

from train.discriminant import fit_discriminant, joined
from train.probe import Head

_CLASSES = ("a", "b", "c")


def blobs(classes: int, each: int, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(classes, 6, generator=generator)
    targets = torch.arange(classes).repeat_interleave(each)
    noise = torch.randn(len(targets), 6, generator=generator)
    noise[:, 0] *= 12  # says nothing of the class
    return centres[targets] + spread * noise, targets


def test_a_discriminant_sees_past_a_direction_that_varies_within_classes() -> None:
    features, targets = blobs(3, 200, spread=0.3)
    head = fit_discriminant(features, targets, _CLASSES)
    means = torch.stack([features[targets == number].mean(0) for number in range(3)])
    nearest_mean = torch.cdist(features, means).argmin(1)
    assert (head(features).argmax(1) == targets).float().mean() > 0.9
    assert (nearest_mean == targets).float().mean() < 0.8


def test_its_weights_are_the_shrunk_means_in_the_metric_of_the_shrunk_covariance() -> None:
    features, targets = blobs(3, 50)
    means = torch.stack([features[targets == number].mean(0) for number in range(3)])
    within = (features - means[targets]).numpy().astype(np.float64)
    shrinkage = 2.5 * ledoit_wolf_shrinkage(within, assume_centered=True)
    metric = np.linalg.inv(shrunk_covariance(within.T @ within / len(within), shrinkage=shrinkage))
    expected = (50 * means + 6 * means.mean(0)).numpy() / 56 @ metric
    found = fit_discriminant(features, targets, _CLASSES).weight.numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_class_without_photos_and_photos_without_spread_leave_it_finite() -> None:
    head = fit_discriminant(torch.ones(4, 3), torch.tensor([0, 0, 1, 1]), ("a", "b/c", "b/d"))
    assert torch.isfinite(head.weight).all()
    assert torch.isfinite(head.bias).all()


def test_a_class_of_few_photos_is_drawn_to_its_parent() -> None:
    """Of two classes with one photo each, at the same place but below different parents."""
    classes = ("x/known", "x/new", "y/known", "y/new")
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, 0.0], [0.0, 5.0]])
    targets = torch.tensor([0] * 40 + [1] + [2] * 40 + [3])
    noise = torch.randn(len(targets), 2, generator=generator)
    noise[[40, 81]] = 0
    head = fit_discriminant(centres[targets] + noise, targets, classes)
    logits = head(torch.tensor([[1.0, 5.0], [-1.0, 5.0]]))
    assert logits[0, 1] > logits[0, 3]
    assert logits[1, 3] > logits[1, 1]


def test_what_varies_between_views_of_a_photo_counts_less() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(2).repeat_interleave(20)
    # Both directions tell the classes apart on the photos; the second not on views of them.
    features = (targets * 2 - 1)[:, None] + 0.3 * torch.randn(40, 2, generator=generator)
    view = torch.stack([features[:, 0], torch.randn(40, generator=generator)], dim=1)

    def second_share(views: list[torch.Tensor]) -> float:
        weight = fit_discriminant(features, targets, ("a", "b"), views).weight[1]
        return float(weight[1] / weight.sum())

    assert second_share([view]) < second_share([]) - 0.2


def test_heads_are_joined_by_share_however_loud_they_are() -> None:
    features, _ = blobs(3, 50)
    generator = torch.Generator().manual_seed(1)
    first = Head(torch.randn(3, 6, generator=generator), torch.zeros(3))
    louder = Head(100 * first.weight, 100 * first.bias + 7)
    both = joined(first, louder, features, share=0.5)
    assert both(features).std() == pytest.approx(1.5, rel=1e-3)
    alone = joined(first, louder, features, share=0)
    torch.testing.assert_close(both(features), 1.5 * alone(features), rtol=1e-3, atol=1e-3)
