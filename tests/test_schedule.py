"""Which tests stay in one process when two run them, and which files come first."""

from pathlib import Path

import pytest

pytest.importorskip("xdist", reason="comes with mien[dev]")

from schedule import FIRST, TOGETHER, Schedule, rank

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("test", "together"),
    [
        ("tests/scale/test_cluster.py::test_a", "tests/scale"),
        ("tests/web/test_page.py::test_b[1]", "tests/web"),
        ("tests/train/test_fit.py::test_c", "tests/train/test_fit.py"),
        ("tests/test_house.py::test_d", "tests/test_house.py"),
    ],
)
def test_a_room_with_a_scarce_fixture_stays_in_one_process(test: str, together: str) -> None:
    assert Schedule.__new__(Schedule)._split_scope(test) == together


def test_the_longest_files_come_first_and_the_others_keep_their_order() -> None:
    files = ["tests/cli/test_a.py", "tests/mood/test_b.py", "tests/adapt/test_c.py", "tests/test_benchmarks.py"]
    assert sorted(files, key=rank) == [files[3], files[0], files[1], files[2]]


@pytest.mark.parametrize("name", [*FIRST, *TOGETHER])
def test_every_named_file_and_room_is_there(name: str) -> None:
    assert (REPOSITORY / name).exists()
