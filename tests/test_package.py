"""The public names, and which rooms may import which."""

import pickle

import pytest

import mien


def test_the_public_names_are_these() -> None:
    assert sorted(mien.__all__) == [
        "DataError",
        "DetectorError",
        "Face",
        "FrameResult",
        "ImageError",
        "MienError",
        "MissingExtraError",
        "ModelCard",
        "ModelError",
        "OutputError",
        "ParityError",
        "RecipeError",
        "Recognizer",
        "RunError",
        "SAMPLE_PHOTO",
        "StoreError",
        "VideoError",
        "__version__",
        "embed",
        "recognize",
    ]
    for name in mien.__all__:
        assert getattr(mien, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mien.nonsense  # noqa: B018


def test_recognize_stays_a_function_beside_its_room() -> None:
    from mien.recognition.classifier import Classifier

    assert callable(mien.recognize)
    assert Classifier.__module__ == "mien.recognition.classifier"


def test_results_travel_between_processes() -> None:
    face = mien.Face((0, 0, 9, 9), None, "sad", 0.6, True, {"sad": 0.6, "happy": 0.4})
    result = mien.FrameResult("a.jpg", 20, 20, (face,))
    assert pickle.loads(pickle.dumps(result)) == result
