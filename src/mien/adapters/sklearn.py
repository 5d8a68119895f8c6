"""A scikit-learn classifier of faces: your own classes on mien's features, without training a network.

    from mien.adapters.sklearn import FaceEmotionClassifier

    classifier = FaceEmotionClassifier().fit(crops_NHW, labels_N)        # uint8 grey crops, or mien.embed's vectors
    classifier.predict_proba(crops_NHW)                                  # columns in the order of classes_

It is a logistic regression on standardised embeddings: seconds for thousands of faces, and it works in pipelines,
``cross_val_score`` and ``GridSearchCV``. It passes scikit-learn's ``check_estimator``.

Shape legend: N faces, H, W pixels of a crop, F features, C classes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MissingExtraError
from mien.contract.pixels import crop_square
from mien.contract.shipped_models import resolve_model
from mien.recognition.embeddings import Embedder

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError:
    raise MissingExtraError("scikit-learn", "adapters") from None


class FaceEmotionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Logistic regression on face embeddings.

    Args:
        model: a shipped model's name, or an .onnx file that mien exported; it embeds crops. Not used for vectors.
        C: inverse strength of the regularisation, above 0. Small data sets like less than 1.
        max_iter: most steps of the solver.

    Attributes:
        classes_: C class labels, sorted.
        n_features_in_: F.
        n_iter_: steps that the solver took.
    """

    def __init__(self, model: str | Path = "base", C: float = 0.1, max_iter: int = 1000) -> None:
        self.model = model
        self.C = C
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> FaceEmotionClassifier:
        """Learn from faces.

        Args:
            X: uint8 grey crops (N, H, W), or float feature vectors (N, F).
            y: N class labels, of two or more classes.

        Returns:
            Itself.

        Raises:
            ValueError: shapes or values that cannot be learnt from.
        """
        features_NF, y = validate_data(self, self._embedded(X), y, dtype=np.float64)
        regression = LogisticRegression(C=self.C, max_iter=self.max_iter)
        self.pipeline_ = make_pipeline(StandardScaler(), regression).fit(features_NF, y)
        self.classes_, self.n_iter_ = regression.classes_, regression.n_iter_
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class: float64 (N, C), columns in the order of ``classes_``."""
        return np.asarray(self._fitted().predict_proba(self._checked(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each face."""
        return np.asarray(self._fitted().predict(self._checked(X)))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Logits: float64 (N, C), or (N,) for two classes."""
        return np.asarray(self._fitted().decision_function(self._checked(X)))

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self.pipeline_

    def _checked(self, X: Any) -> NDArray[np.float64]:
        return np.asarray(validate_data(self, self._embedded(X), reset=False, dtype=np.float64))

    def _embedded(self, X: Any) -> Any:
        """Crops as vectors; anything else as it is, for scikit-learn to judge."""
        if not (isinstance(X, np.ndarray) and X.ndim == 3 and X.dtype == np.uint8):
            return X
        embedder = _embedder(self.model)
        side, (height, width) = embedder.card.image.side, X.shape[1:]
        if (height, width) != (side, side):
            X = np.stack([crop_square(crop, (0, 0, width, height), side) for crop in X])
        return embedder(X)


@lru_cache(maxsize=2)
def _embedder(model: str | Path) -> Embedder:
    return Embedder(resolve_model(model))
