"""The tree of errors is what the docstring draws, and callers may rely on its built-in ancestors."""

from __future__ import annotations

import inspect

import pytest

from mien.contract import errors


def test_tree() -> None:
    parents = {
        name: kind.__bases__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    assert parents == {
        "MienError": (ValueError,),
        "ImageError": (errors.MienError,),
        "VideoError": (errors.MienError,),
        "OutputError": (errors.MienError,),
        "DataError": (errors.MienError,),
        "RecipeError": (errors.MienError,),
        "RunError": (errors.MienError,),
        "ModelError": (errors.MienError,),
        "ParityError": (errors.ModelError,),
        "DetectorError": (errors.MienError,),
        "StoreError": (errors.MienError,),
        "MissingExtraError": (errors.MienError, ImportError),
    }
    assert all(name in (errors.__doc__ or "") for name in parents)


def test_missing_extra_names_the_remedy() -> None:
    with pytest.raises(ImportError, match=r'torch is not installed; .*pip install "mien\[train\]"'):
        raise errors.MissingExtraError("torch", "train")
