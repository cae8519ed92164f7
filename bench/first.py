"""The main job on real shops: probe on fashion and grocery, finetune on grocery.

Beside each probe stands scikit-learn's logistic regression on the same features and photos.
"""

import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.figures import Figures, gain_interval, share_interval
from bench.runs import pretrained_features
from bench.shops import FASHION, GROCERY, Shop, require
from bench.steps import Judged, judge, judged, learn
from inference.bundle import Bundle

_BUDGET = "25m"


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write."""
    figures = Figures()
    shops = [require(FASHION), require(GROCERY)]
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        for shop in shops:
            probe, bundle = _learn(figures, shop, Path(folder), "probe")
            _peer(figures, shop, bundle, probe)
            if shop is GROCERY:
                tuned, _ = _learn(figures, shop, Path(folder), "finetune", "--budget", _BUDGET)
                gain = tuned.right.mean() - probe.right.mean()
                figures.add(
                    "finetune_grocery_over_probe", gain, gain_interval(tuned.right, probe.right)
                )
    figures.show("The main job on real shops (val)")
    if json_file:
        figures.write(json_file)


def _learn(
    figures: Figures, shop: Shop, work: Path, recipe: str, *flags: str
) -> tuple[Judged, Bundle]:
    label = f"{recipe}_{shop.name}"
    bundle, minutes = learn(shop, work, label, "--recipe", recipe, *flags)
    found = judge(bundle, shop)
    figures.add(f"{label}_top1", found.right.mean(), share_interval(found.right))
    figures.add(f"{label}_depth2", found.right_at_2.mean(), share_interval(found.right_at_2))
    figures.add(f"{label}_macro_f1", found.report["macro_f1"])
    figures.add(f"{label}_ece", found.report["ece"])
    for step, value in minutes.items():
        figures.add(f"{label}_{step}_minutes", value)
    return found, bundle


def _peer(figures: Figures, shop: Shop, bundle: Bundle, probe: Judged) -> None:
    """scikit-learn on the same frozen features, its penalty chosen on a fifth of train."""
    features, labels = {}, {}
    for split in ("train", "val"):
        rows = shop.rows(split).rows
        features[split] = pretrained_features(rows)
        labels[split] = np.array([row.category for row in rows])
    aside = np.random.default_rng(0).random(len(labels["train"])) < 0.2
    best, strength = -1.0, 0.0
    for candidate in (0.001, 0.003, 0.01, 0.03):
        model = _regression(candidate).fit(features["train"][~aside], labels["train"][~aside])
        score = model.score(features["train"][aside], labels["train"][aside])
        if score > best:
            best, strength = score, candidate
    model = _regression(strength).fit(features["train"], labels["train"])
    columns = [list(model.classes_).index(path) for path in bundle.document.classes]
    probabilities = model.predict_proba(features["val"])[:, columns].astype(np.float32)
    peer = judged(bundle.tree, probabilities, list(labels["val"]))
    label = f"logistic_regression_{shop.name}"
    figures.add(f"{label}_top1", peer.right.mean(), share_interval(peer.right))
    figures.add(f"{label}_depth2", peer.right_at_2.mean(), share_interval(peer.right_at_2))
    figures.add(f"{label}_macro_f1", peer.report["macro_f1"])
    gain = probe.right.mean() - peer.right.mean()
    figures.add(
        f"probe_{shop.name}_over_logistic_regression", gain, gain_interval(probe.right, peer.right)
    )


def _regression(strength: float):
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
