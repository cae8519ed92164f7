import torch
from sklearn.linear_model import LogisticRegression

from train.distributed import Ranks
from train.probe import DECAYS, Standardiser, fit_path


def _problem() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(4, 12, generator=generator)
    targets = torch.arange(200) % 4
    noise = torch.randn(200, 12, generator=generator)
    return centres[targets] * 3 + noise * 2 + 5, targets


def test_the_head_equals_scikit_learns_logistic_regression() -> None:
    features, targets = _problem()
    heads = fit_path(features, targets, torch.ones(4), Ranks())
    standardised = Standardiser.of(features)(features).numpy()
    for decay, head in zip(DECAYS, heads, strict=True):
        # Ours: mean loss + decay / (2 features) |w|^2; theirs: C * summed loss + 1/2 |w|^2.
        strength = features.shape[1] / (decay * len(features))
        theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=2000)
        theirs.fit(standardised, targets.numpy())
        expected = torch.tensor(theirs.predict_proba(standardised)).float()
        assert torch.allclose(torch.softmax(head(features), 1), expected, atol=2e-3)


def test_a_weaker_penalty_fits_the_training_photos_better() -> None:
    features, targets = _problem()
    losses = [
        float(torch.nn.functional.cross_entropy(head(features), targets))
        for head in fit_path(features, targets, torch.ones(4), Ranks())
    ]
    assert losses == sorted(losses, reverse=True)


def test_class_weights_move_the_boundary_towards_the_heavier_class() -> None:
    features, targets = _problem()
    plain = fit_path(features, targets, torch.ones(4), Ranks())[0]
    heavy = fit_path(features, targets, torch.tensor([4.0, 1.0, 1.0, 1.0]), Ranks())[0]
    share = [float((head(features).argmax(1) == 0).float().mean()) for head in (plain, heavy)]
    assert share[1] > share[0]
