import numpy as np
import torch
from torch.nn import functional as F

from train.cross_validation import SHARES, OutOfFold


def out_of_fold(
    learnt: float, discriminant: float, used: int = 5
) -> tuple[OutOfFold, torch.Tensor]:
    """Logits of two heads on 400 photos of 4 classes; each the truth, so loud, in noise."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 4, (400,), generator=generator)
    truth = F.one_hot(targets, 4).float()
    logits = [
        loud * truth + torch.randn(400, 4, generator=generator) for loud in (learnt, discriminant)
    ]
    folds = np.arange(400) % used
    return OutOfFold(logits[0][None], logits[1], folds, used), targets


def test_a_head_that_adds_nothing_gets_the_least_share() -> None:
    found, targets = out_of_fold(learnt=0, discriminant=3)
    assert found.blend(targets).share == min(SHARES)


def test_a_head_that_knows_as_much_gets_a_share() -> None:
    found, targets = out_of_fold(learnt=2, discriminant=2)
    assert found.blend(targets).share >= 0.5


def test_answers_on_photos_that_were_learnt_from_give_the_least_share() -> None:
    found, targets = out_of_fold(learnt=9, discriminant=2, used=1)
    assert found.blend(targets).share == min(SHARES)


def test_the_penalty_with_the_least_loss_is_taken_and_the_logits_are_calibrated() -> None:
    worse, targets = out_of_fold(learnt=1, discriminant=2)
    better, _ = out_of_fold(learnt=4, discriminant=2)
    both = OutOfFold(
        torch.cat([worse.learnt, better.learnt]), worse.discriminant, worse.folds, worse.used
    )
    blend = both.blend(targets)
    assert blend.penalty == 1
    sure, guess = blend.logits.softmax(1).max(1)
    assert abs(float(sure.mean()) - float((guess == targets).float().mean())) < 0.03
