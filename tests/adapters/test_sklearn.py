"""The scikit-learn estimator: scikit-learn's own checks, and faces."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from mien.adapters.sklearn import FaceEmotionClassifier
from mien.data.faceset import FaceSet


@parametrize_with_checks([FaceEmotionClassifier()])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    if getattr(check.func, "__name__", "") == "check_array_api_input":
        pytest.skip("the array API is switched on by an environment variable before scipy is imported")
    check(estimator)


def test_crops_and_names(toy: FaceSet) -> None:
    names_N = np.array(toy.labels)[toy.labels_N]
    train_N = np.arange(len(names_N)) % 2 == 0
    classifier = FaceEmotionClassifier(model="nano").fit(toy.faces_NHW[train_N], names_N[train_N])
    probs_NC = classifier.predict_proba(toy.faces_NHW[~train_N])
    assert probs_NC.shape == ((~train_N).sum(), len(toy.labels))
    np.testing.assert_allclose(probs_NC.sum(axis=1), 1)
    assert (
        classifier.predict(toy.faces_NHW[~train_N]) == names_N[~train_N]
    ).mean() > 0.6  # five faces a class to learn from
    assert list(classifier.classes_) == sorted(toy.labels)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(toy.faces_NHW[:3]), classifier.predict_proba(toy.faces_NHW[:3]))


def test_crops_of_another_size_and_cross_validation(toy: FaceSet) -> None:
    larger_NHW = np.repeat(np.repeat(toy.faces_NHW, 2, axis=1), 2, axis=2)
    scores = cross_val_score(FaceEmotionClassifier(model="nano"), larger_NHW, toy.labels_N, cv=2)
    assert scores.mean() > 0.6  # 1/7 by chance; trained on half of 70 faces
