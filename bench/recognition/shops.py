"""Grocery and fashion, an hour of training each: top-1, depth 2, macro F1 on `val`."""

from pathlib import Path
from typing import Final

from bench.figures import Figures, share_interval, statistic_interval
from bench.shops import FASHION, GROCERY, require
from bench.steps import Judged, judge, learn
from catalog.metrics import f1_scores

BUDGET: Final = "60m"


def measure_shops(figures: Figures, work: Path) -> dict[str, Judged]:
    """Train each within the budget, export, judge what the exported graph says.

    Args:
        figures: to add to.
        work: where runs and bundles are kept.

    Returns:
        the answers on `val`, by shop.
    """
    found = {}
    for shop in (require(GROCERY), require(FASHION)):
        bundle, minutes = learn(shop, work, f"auto_{shop.name}", "--budget", BUDGET)
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
        figures.add(f"{shop.name}_minutes", minutes["train"])
        found[shop.name] = answers
    return found


def macro_f1(truth: list[str], guesses: list[str]) -> float:
    """Mean F1 over the classes that occur in the truth."""
    scores = [score for score, _ in f1_scores(truth, guesses).values()]
    return sum(scores) / len(scores)
