"""report.html: how a run went, as one page that needs nothing else."""

from collections import Counter

import numpy as np
from scipy.special import softmax

from catalog.calibration import fit_temperature
from catalog.metrics import automatic_share, expected_calibration_error
from catalog.precision import TARGET_PRECISION
from train.report.figures import confusion, learning_curves, trust
from train.report.photos import show_issues, worst_mistakes
from train.report.tables import class_table, confused_pairs
from train.report.templates import TEMPLATES
from train.run import REPORT, Run


def write_report(run: Run) -> None:
    """Write report.html into the run."""
    document, held_out, issues = run.document, run.held_out(), run.data_issues()
    classes = np.array(document.classes)
    temperature = fit_temperature(document.classes, held_out.logits, held_out.truth)
    probabilities = softmax(held_out.logits / temperature, axis=1)
    guesses = classes[probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    right = guesses == np.array(held_out.truth)
    page = TEMPLATES.get_template("report.html.j2").render(
        document=document,
        curves=learning_curves(document.epochs),
        trust=trust(confidence, right),
        ece=expected_calibration_error(confidence, right),
        automatic=automatic_share(confidence, right, TARGET_PRECISION),
        target=TARGET_PRECISION,
        confusion=confusion(classes, np.array(held_out.truth), guesses),
        classes=class_table(held_out, guesses),
        pairs=confused_pairs(held_out, guesses),
        mistakes=worst_mistakes(held_out, probabilities, classes),
        counts=Counter(issue.kind for issue in issues),
        doubtful=show_issues(issues, "label"),
        two_labels=show_issues(issues, "two labels"),
        leaks=show_issues(issues, "leak"),
    )
    (run.directory / REPORT).write_text(page, encoding="utf-8")
