// Faces cut out with level eyes, as Python's align.py: the square is turned about its own centre by the angle of the eyes.
import type { Margin } from "./card.js";
import type { Detection, Point } from "./detections.js";
import { cropSquare, roundEven, squareBox } from "./pixels.js";
import type { Box, Pixels } from "./pixels.js";

const LEAST_DEG = 5;
const MOST_DEG = 60;
const FINER = 2; // samples to a pixel of the crop along each axis

/** How far a face is tilted in its image: degrees clockwise, by the line through the eyes. */
export function rollDeg([left, right]: readonly Point[]): number {
  return (Math.atan2(right[1] - left[1], right[0] - left[0]) * 180) / Math.PI;
}

/** Cut a face out with its eyes level, where the detector says where they are: uint8 grey, side x side. */
export function cropLevel(pixels: Pixels, found: Detection, side: number, margin: Margin): Uint8Array {
  const square = squareBox(found.box, margin);
  const angle = found.landmarks ? rollDeg(found.landmarks) : 0;
  const turned = Math.abs(angle) >= LEAST_DEG && Math.abs(angle) <= MOST_DEG;
  return turned ? cropTurned(pixels, square, side, angle) : cropSquare(pixels, square, side);
}

function cropTurned(pixels: Pixels, [x1, y1, x2, y2]: Box, side: number, angleDeg: number): Uint8Array {
  const radians = (angleDeg * Math.PI) / 180;
  const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
  const patchSide = Math.ceil(FINER * side * (Math.abs(cos) + Math.abs(sin))) + 2;
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const half = (((x2 - x1) / 2) * patchSide) / (FINER * side);
  const patch = cropSquare(pixels, [x - half, y - half, x + half, y + half], patchSide);
  const sample = (column: number, row: number): number => {
    const [right, down] = [column + 0.5 - (FINER * side) / 2, row + 0.5 - (FINER * side) / 2];
    const px = right * cos - down * sin + patchSide / 2 - 0.5;
    const py = right * sin + down * cos + patchSide / 2 - 0.5;
    const [left, top] = [Math.floor(px), Math.floor(py)];
    const [across, below] = [px - left, py - top];
    const at = top * patchSide + left;
    const upper = patch[at] * (1 - across) + patch[at + 1] * across;
    const lower = patch[at + patchSide] * (1 - across) + patch[at + patchSide + 1] * across;
    return upper * (1 - below) + lower * below;
  };
  const crop = new Uint8Array(side * side);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      let sum = 0;
      for (let fine = 0; fine < FINER * FINER; fine += 1) {
        sum += sample(FINER * column + (fine % FINER), FINER * row + Math.floor(fine / FINER));
      }
      crop[row * side + column] = roundEven(sum / (FINER * FINER));
    }
  }
  return crop;
}
