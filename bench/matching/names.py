"""Names: F1 on pairs that nothing was fitted to, beside what a team would try first."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.figures import Figures
from bench.matching.f1 import add_f1, f1_interval
from bench.shops import DATA
from bench.steps import catalens
from catalog.errors import InvalidManifest
from catalog.names import normalise
from catalog.names.common import name_pair, profile
from catalog.names.words import NO_STATISTICS
from catalog.pairs import Pair, read_pairs
from inference.bundle import read_bundle
from inference.pairs import SeenPair, scores_of

SETS: Final = {
    "cameras": "wdc-cameras",
    "computers": "wdc-computers",
    "shoes": "wdc-shoes",
    "watches": "wdc-watches",
    "amazon_google": "amazon-google",
    "abt_buy": "abt-buy",
}
_WDC: Final = ("cameras", "computers", "shoes", "watches")

Floats = NDArray[np.float64]
# From pairs to learn from and pairs to judge to scores of both.
Baseline = Callable[[Sequence[Pair], Sequence[Pair]], tuple[Floats, Floats]]


def measure_names(figures: Figures, work: Path) -> None:
    """Add `f1_names_SET` of `fit-matching`, of each baseline, and the default without fitting.

    Beside it `f1_names_wdc`, the mean of the four WDC sets, and milliseconds per 1,000 pairs.

    Args:
        figures: to add to.
        work: where bundles go.
    """
    bundle = _any_bundle(work)
    for key, file in SETS.items():
        source = DATA / "names" / f"{file}.csv"
        if not source.exists():
            raise InvalidManifest("the pairs are not here.", where=str(source))
        pairs = read_pairs(str(source))
        learn, judge = pairs.to_learn().rows, pairs.to_judge("val").rows
        fitted = work / f"names-{key}-bundle"
        if not fitted.exists():
            catalens("fit-matching", bundle, source, fitted)
        report = work / f"names-{key}.json"
        catalens("evaluate-matching", fitted, source, "--split", "val", "--json", report)
        read = read_bundle(fitted)
        seen = [SeenPair(pair, None) for pair in judge]
        scores_of(read, seen[:10])  # opens the model
        started = time.perf_counter()
        scores = np.array(scores_of(read, seen))
        seconds = time.perf_counter() - started
        threshold = read.match_model.match_at
        figures.add(
            f"f1_names_{key}",
            json.loads(report.read_text(encoding="utf-8"))["f1"],
            f1_interval(_same(judge), scores >= threshold),
        )
        figures.add(f"names_{key}_ms_per_1000", 1e6 * seconds / len(judge))
        unfitted = np.array(scores_of(read_bundle(bundle), seen))
        before = np.array(scores_of(read_bundle(bundle), [SeenPair(pair, None) for pair in learn]))
        same = _same(learn), _same(judge)
        add_f1(figures, f"f1_names_{key}_default", same[0], before, same[1], unfitted)
        for name, baseline in _BASELINES.items():
            learnt, judged = baseline(learn, judge)
            add_f1(figures, f"f1_names_{key}_{name}", same[0], learnt, same[1], judged)
    for suffix in ("", "_default", *(f"_{name}" for name in _BASELINES)):
        of_sets = [figures.values[f"f1_names_{key}{suffix}"] for key in _WDC]
        figures.add(f"f1_names_wdc{suffix}", float(np.mean(of_sets)))


def _any_bundle(work: Path) -> Path:
    """Names need no photos, but the commands need a bundle."""
    bundle = work / "small-bundle"
    if not bundle.exists():
        shop, run = work / "small-shop", work / "small-run"
        catalens("sample", shop, "--products", "60")
        catalens("train", shop / "manifest.csv", "--run", run, "--recipe", "probe")
        catalens("export", run, bundle)
    return bundle


def _same(pairs: Sequence[Pair]) -> NDArray[np.bool_]:
    return np.array([pair.same for pair in pairs])


def _names(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    return [pair.left.name or "" for pair in pairs], [pair.right.name or "" for pair in pairs]


def _ratio(scorer: Callable[[str, str], float]) -> Baseline:
    def score(learn: Sequence[Pair], judge: Sequence[Pair]) -> tuple[Floats, Floats]:
        learnt, judged = (
            np.array(
                [
                    scorer(left.lower(), right.lower())
                    for left, right in zip(*_names(pairs), strict=True)
                ]
            )
            for pairs in (learn, judge)
        )
        return learnt, judged

    return score


def _tfidf(learn: Sequence[Pair], judge: Sequence[Pair]) -> tuple[Floats, Floats]:
    left, right = _names(learn)
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    vectors.fit([*left, *right])
    learnt, judged = (
        np.asarray(
            vectors.transform(names[0]).multiply(vectors.transform(names[1])).sum(axis=1)
        ).ravel()
        for names in (_names(learn), _names(judge))
    )
    return learnt, judged


def _features(learn: Sequence[Pair], judge: Sequence[Pair]) -> tuple[Floats, Floats]:
    """Our features, words weighed by their looks, and scikit-learn's logistic regression."""
    tables = [
        np.array(
            [
                name_pair(
                    profile(normalise(left), NO_STATISTICS),
                    profile(normalise(right), NO_STATISTICS),
                ).features
                for left, right in zip(*_names(pairs), strict=True)
            ]
        )
        for pairs in (learn, judge)
    ]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    model.fit(tables[0], _same(learn))
    learnt, judged = (model.decision_function(table) for table in tables)
    return learnt, judged


_BASELINES: Final[dict[str, Baseline]] = {
    "wratio": _ratio(fuzz.WRatio),
    "token_set": _ratio(fuzz.token_set_ratio),
    "tfidf": _tfidf,
    "features_regression": _features,
}
