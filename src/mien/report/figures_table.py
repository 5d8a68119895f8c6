"""The one list of headline figures, which the report page, the terminal and the model card all use.

for each in FIGURES: print(each.name, getattr(metrics, each.key))
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A headline figure.

    Attributes:
        key: its field in ``Metrics``, and its key in metrics.json and in the card.
        name: its name for readers.
        is_share: whether it is shown in per cent.
        meaning: in a few words.
    """

    key: str
    name: str
    is_share: bool
    meaning: str


FIGURES: tuple[Figure, ...] = (
    Figure("accuracy", "accuracy", True, "share of faces that are right"),
    Figure("top2", "top-2 accuracy", True, "truth among the two likeliest"),
    Figure("balanced_accuracy", "balanced accuracy", True, "mean recall of the classes"),
    Figure("macro_f1", "macro F1", True, "mean F1 of the classes"),
    Figure("roc_auc", "ROC-AUC, macro", False, "one against the rest; chance is 0.5"),
    Figure("average_precision", "average precision, macro", False, "one against the rest"),
    Figure("kappa", "Cohen's kappa", False, "agreement beyond chance"),
    Figure("nll", "NLL", False, "negative log-likelihood, nats"),
    Figure("brier", "Brier score", False, "squared distance to the truth, 0 to 2"),
    Figure("ece", "calibration error (ECE)", True, "confidence against accuracy, 15 equal-mass bins"),
    Figure(
        "ece_debiased", "calibration error, debiased", True, "the same as a root mean square, less what chance adds"
    ),
)
"""In the order in which they are shown."""
