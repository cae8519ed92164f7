"""A real shop, an hour of training: top-1, depth 2, macro F1 on `val`."""

from pathlib import Path
from typing import Final

from bench.figures import Figures, share_interval, statistic_interval
from bench.recognition.calibration import keep_answers
from bench.shops import Shop, require
from bench.steps import judge, learn
from catalog.metrics import f1_scores
from inference.bundle import Bundle

_BUDGET: Final = "60m"


def learnt(shop: Shop, work: Path) -> tuple[Bundle, float]:
    """The shop's bundle and the minutes of its training; trained unless it is in ``work``."""
    bundle, minutes = learn(require(shop), work, f"auto_{shop.name}", "--budget", _BUDGET)
    return bundle, minutes["train"]


def measure_shop(figures: Figures, work: Path, shop: Shop) -> None:
    """Train within the budget, export, judge what the exported graph says.

    Args:
        figures: to add to.
        work: where run and bundle are kept.
        shop: which.
    """
    bundle, minutes = learnt(shop, work)
    answers = judge(bundle, shop)
    figures.add(f"{shop.name}_top1", answers.right.mean(), share_interval(answers.right))
    figures.add(
        f"{shop.name}_depth2", answers.right_at_2.mean(), share_interval(answers.right_at_2)
    )
    guesses = [bundle.document.classes[best] for best in answers.probabilities.argmax(axis=1)]
    figures.add(
        f"{shop.name}_macro_f1",
        macro_f1(answers.truth, guesses),
        statistic_interval(macro_f1, answers.truth, guesses),
    )
    figures.add(f"{shop.name}_minutes", minutes)
    keep_answers(shop.name, answers)


def macro_f1(truth: list[str], guesses: list[str]) -> float:
    """Mean F1 over the classes that occur in the truth."""
    scores = [score for score, _ in f1_scores(truth, guesses).values()]
    return sum(scores) / len(scores)
