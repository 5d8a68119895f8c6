"""Pictures that occur twice: which count as the same, which do not, and chains of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.data import duplicates
from mien.data.duplicates import connected_components, exact_ids, find_duplicates, near_groups, near_pairs
from mien.data.faceset import FaceSet


def as_set(*faces: NDArray[np.generic]) -> FaceSet:
    n = len(faces)
    names = np.array([str(number) for number in range(n)])
    pixels = np.stack(faces).astype(np.uint8)
    return FaceSet(pixels, np.zeros(n, np.int64), np.array(["train"] * n), ("any",), names)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """Smooth blotches, as different from another seed's as two photographs are."""
    rough = np.random.default_rng(3).integers(20, 230, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize((48, 48), Image.Resampling.BICUBIC))


def test_a_picture_is_known_again(photo: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    small = np.asarray(Image.fromarray(photo).resize((30, 30)).resize((48, 48)))
    changed = {
        "exact": photo,
        "mirrored": photo[:, ::-1],
        "darker": photo * 0.6,
        "noise": np.clip(photo + noise, 0, 255),
        "resampled": small,
        "shifted": np.roll(photo, 1, axis=1),
    }
    for what, other in changed.items():
        assert near_groups(as_set(photo, other)).tolist() == [0, 0], what
    turned, upside_down = np.rot90(photo), photo[::-1]
    assert near_groups(as_set(photo, turned, upside_down, 255 - photo)).tolist() == [0, 1, 2, 3]


def test_blank_faces_are_no_pictures_but_can_be_exact_copies(photo: NDArray[np.uint8]) -> None:
    grey, black = np.full((48, 48), 90), np.zeros((48, 48))
    faces = as_set(grey, photo, black, grey)
    assert len(near_pairs(faces)[0]) == 0
    assert near_groups(faces).tolist() == [0, 1, 2, 0]
    assert exact_ids(faces)[0] == exact_ids(faces)[3] and len(set(exact_ids(faces).tolist())) == 3


def test_pairs_are_found_across_blocks_lower_first(photo: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9300, 16, 16), dtype=np.uint8)
    pixels[9299] = pixels[5]
    pixels[1024] = pixels[1023]
    names = np.array([str(number) for number in range(len(pixels))])
    faces = FaceSet(pixels, np.zeros(len(pixels), np.int64), np.full(len(pixels), "train"), ("any",), names)
    found = find_duplicates(faces)
    assert sorted(found.pairs_M2.tolist()) == [[5, 9299], [1023, 1024]]
    assert found.alike_M.tolist() == pytest.approx([1, 1])
    assert found.group_N.max() + 1 == 9298


def test_chains_join() -> None:
    pairs = np.array([[0, 4], [4, 2], [5, 6]])
    assert connected_components(7, pairs).tolist() == [0, 1, 0, 2, 0, 3, 3]
    assert connected_components(4, np.empty((0, 2), np.int64), np.array([7, 8, 7, 9])).tolist() == [0, 1, 0, 2]


def test_the_index_finds_the_pairs_that_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss", reason="faiss-cpu is not installed")
    draw = np.random.default_rng(5)
    rough = draw.integers(0, 256, (300, 6, 6), dtype=np.uint8)
    photos = [np.asarray(Image.fromarray(each).resize((48, 48), Image.Resampling.BICUBIC)) for each in rough]
    copies = [np.clip(photo + draw.normal(0, 5, photo.shape), 0, 255) for photo in photos[:40]]
    copies += [photo[:, ::-1] for photo in photos[40:60]]
    faces = as_set(*photos, *copies, np.full((48, 48), 7))
    pairs_M2, alike_M = near_pairs(faces)
    monkeypatch.setattr(duplicates, "ALL_PAIRS_LIMIT", 10)
    found_M2, value_M = near_pairs(faces)
    by_pair = {tuple(pair): value for pair, value in zip(found_M2.tolist(), value_M.tolist(), strict=True)}
    assert by_pair == pytest.approx(
        {tuple(pair): value for pair, value in zip(pairs_M2.tolist(), alike_M.tolist(), strict=True)}, abs=1e-5
    )
    assert len(by_pair) >= 60


@pytest.mark.parametrize("usable", [0, 1, 2])
def test_the_index_of_hardly_any_faces(monkeypatch: pytest.MonkeyPatch, usable: int) -> None:
    """Faces of one grey level match nothing, however many there are; the index of one face knows no directions."""
    pytest.importorskip("faiss", reason="faiss-cpu is not installed")
    monkeypatch.setattr(duplicates, "ALL_PAIRS_LIMIT", 0)
    face = np.random.default_rng(1).integers(0, 256, (48, 48), dtype=np.uint8)
    pairs_M2, _ = near_pairs(as_set(*[np.full((48, 48), 9, np.uint8)] * 5, *[face, face[:, ::-1]][:usable]))
    assert pairs_M2.tolist() == ([[5, 6]] if usable == 2 else [])
