import numpy as np
import pytest
import torch
from sklearn.covariance import shrunk_covariance

from train.discriminant import fit_discriminant, joined
from train.probe import Head


def blobs(classes: int, each: int, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(classes, 6, generator=generator)
    targets = torch.arange(classes).repeat_interleave(each)
    noise = torch.randn(len(targets), 6, generator=generator)
    noise[:, 0] *= 12  # says nothing of the class
    return centres[targets] + spread * noise, targets


def test_a_discriminant_sees_past_a_direction_that_varies_within_classes() -> None:
    features, targets = blobs(3, 200, spread=0.3)
    head = fit_discriminant(features, targets, 3)
    means = torch.stack([features[targets == number].mean(0) for number in range(3)])
    nearest_mean = torch.cdist(features, means).argmin(1)
    assert (head(features).argmax(1) == targets).float().mean() > 0.9
    assert (nearest_mean == targets).float().mean() < 0.8


def test_its_weights_are_the_means_in_the_metric_of_the_shrunk_covariance() -> None:
    features, targets = blobs(3, 50)
    means = torch.stack([features[targets == number].mean(0) for number in range(3)])
    within = (features - means[targets]).numpy().astype(np.float64)
    metric = np.linalg.inv(shrunk_covariance(within.T @ within / len(within), shrinkage=0.3))
    expected = means.numpy() @ metric
    found = fit_discriminant(features, targets, 3).weight.numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_class_without_photos_and_photos_without_spread_leave_it_finite() -> None:
    head = fit_discriminant(torch.ones(4, 3), torch.tensor([0, 0, 1, 1]), 3)
    assert torch.isfinite(head.weight).all()
    assert torch.isfinite(head.bias).all()


def test_heads_are_joined_at_the_first_ones_spread() -> None:
    features, _ = blobs(3, 50)
    generator = torch.Generator().manual_seed(1)
    first = Head(torch.randn(3, 6, generator=generator), torch.zeros(3))
    louder = Head(100 * first.weight, 100 * first.bias + 7)
    both = joined(first, louder, features)
    centred = first(features) - first(features).mean(1, keepdim=True)
    torch.testing.assert_close(both(features), 2 * centred, rtol=1e-3, atol=1e-3)
    assert both(features).std() == pytest.approx(2 * float(centred.std()), rel=1e-3)
