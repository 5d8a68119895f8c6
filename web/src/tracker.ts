// The same person over frames: a stable number for each face, as Python's tracker.
//
// Each face moves at constant velocity under a Kalman filter whose noises grow with the face and with the seconds that
// passed. Detections go to tracks by the assignment of least total cost, strong detections before weak ones (ByteTrack,
// Zhang et al. 2022, arXiv:2110.06864). A face that is missed for up to `max_gap_s` keeps its number.
import type { Box } from "./pixels.js";
import type { Face, FrameResult } from "./results.js";
import { iou } from "./detections.js";

const POSITION_NOISE = 0.05; // of a detector's centre, in sides of the face
const START_SPEED = 2; // of a velocity that nobody has seen yet, in sides a second
const ACCELERATION = 2; // a velocity strays by this many sides a second within one second
const GATE_DEVIATIONS = 4; // how far from its track a detection may lie,
const GATE_SIDES = 1.5; // and never more sides
const LARGEST_GROWTH = 3; // how many times larger or smaller a face may become
const WEAK_SCORE = 0.6; // weaker detections choose among the tracks that strong ones left over
const FORBIDDEN = 1e6;

type Pair = readonly [number, number];

interface Expected {
  readonly centre: Pair;
  readonly velocity: Pair;
  /** Of position, of both, of velocity; the same along both axes. */
  readonly covariance: readonly [number, number, number];
}

class Track {
  readonly id: number;
  seen: number;
  centre: Pair;
  velocity: Pair = [0, 0];
  sides: Pair;
  covariance: readonly [number, number, number];

  constructor(id: number, centre: Pair, sides: Pair, t_s: number) {
    this.id = id;
    this.centre = centre;
    this.sides = sides;
    this.seen = t_s;
    this.covariance = [(POSITION_NOISE * this.side) ** 2, 0, (START_SPEED * this.side) ** 2];
  }

  get side(): number {
    return Math.sqrt(this.sides[0] * this.sides[1]);
  }

  expected(t_s: number): Expected {
    const dt = Math.max(0, t_s - this.seen);
    const strayed = (ACCELERATION * this.side) ** 2;
    const [p, c, v] = this.covariance;
    return {
      centre: [this.centre[0] + dt * this.velocity[0], this.centre[1] + dt * this.velocity[1]],
      velocity: this.velocity,
      covariance: [p + 2 * dt * c + dt * dt * v + (dt ** 3 / 3) * strayed, c + dt * v + (dt ** 2 / 2) * strayed, v + dt * strayed],
    };
  }

  /** Take in a detection: the filter's correction. */
  see(centre: Pair, sides: Pair, t_s: number): void {
    const { centre: where, velocity, covariance } = this.expected(t_s);
    const [p, c, v] = covariance;
    const noise = p + (POSITION_NOISE * this.side) ** 2;
    const [gain, push] = [p / noise, c / noise];
    const off = [centre[0] - where[0], centre[1] - where[1]];
    this.centre = [where[0] + gain * off[0], where[1] + gain * off[1]];
    this.velocity = [velocity[0] + push * off[0], velocity[1] + push * off[1]];
    this.covariance = [p - gain * p, c - gain * c, v - push * c];
    this.sides = [this.sides[0] + gain * (sides[0] - this.sides[0]), this.sides[1] + gain * (sides[1] - this.sides[1])];
    this.seen = Math.max(this.seen, t_s);
  }
}

export class Tracker {
  readonly #maxGap: number;
  #tracks: Track[] = [];
  #last = -Infinity;
  #lastId = 0;

  /** `max_gap_s`: how long a face may be missed and still keep its number. */
  constructor(max_gap_s = 1) {
    if (!(max_gap_s >= 0)) throw new RangeError(`expected max_gap_s >= 0, got ${max_gap_s}`);
    this.#maxGap = max_gap_s;
  }

  /** The frame with its time, and each face with its person's number. */
  follow(result: FrameResult, t_s: number): FrameResult {
    const ids = this.update(result.faces, t_s);
    return { ...result, t_s, faces: result.faces.map((face, index) => ({ ...face, track_id: ids[index] })) };
  }

  /** Numbers of the people in the frame at `t_s`, in the order of its faces, from 1 on. */
  update(faces: readonly Pick<Face, "box_xyxy" | "detector_score">[], t_s: number): number[] {
    if (!Number.isFinite(t_s)) throw new RangeError(`expected a time in seconds, got ${t_s}`);
    this.#last = Math.max(this.#last, t_s);
    const now = this.#last;
    this.#tracks = this.#tracks.filter((track) => now - track.seen <= this.#maxGap);
    const costs = this.#tracks.map((track) => faces.map((face) => cost(track, face.box_xyxy, now)));
    const strong = faces.map((face) => (face.detector_score ?? 1) >= WEAK_SCORE);
    const chosen = new Map<number, Track>();
    for (const stage of [true, false]) {
      const columns = [...faces.keys()].filter((index) => strong[index] === stage);
      const taken = new Set(chosen.values());
      const rows = [...this.#tracks.keys()].filter((row) => !taken.has(this.#tracks[row]));
      for (const [row, column] of assign(rows.map((r) => columns.map((c) => costs[r][c])))) {
        chosen.set(columns[column], this.#tracks[rows[row]]);
      }
    }
    return faces.map(({ box_xyxy: [x1, y1, x2, y2] }, index) => {
      const [centre, sides] = [[(x1 + x2) / 2, (y1 + y2) / 2] as const, [x2 - x1, y2 - y1] as const];
      const known = chosen.get(index);
      if (known !== undefined) {
        known.see(centre, sides, now);
        return known.id;
      }
      this.#lastId += 1;
      this.#tracks.push(new Track(this.#lastId, centre, sides, now));
      return this.#lastId;
    });
  }
}

/** What it costs to say that a detection is a track; FORBIDDEN where it cannot be. */
function cost(track: Track, box: Box, t_s: number): number {
  const { centre, covariance } = track.expected(t_s);
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  const noise = POSITION_NOISE * track.side;
  const away = Math.hypot((box[0] + box[2]) / 2 - centre[0], (box[1] + box[3]) / 2 - centre[1]);
  const growth = Math.exp(Math.max(Math.abs(Math.log(width / track.sides[0])), Math.abs(Math.log(height / track.sides[1]))));
  const limit = Math.min(GATE_DEVIATIONS * Math.sqrt(covariance[0] + noise ** 2), GATE_SIDES * track.side);
  if (away > limit || growth > LARGEST_GROWTH) return FORBIDDEN;
  const [w, h] = [track.sides[0] / 2, track.sides[1] / 2];
  const expected: Box = [centre[0] - w, centre[1] - h, centre[0] + w, centre[1] + h];
  return 1 - iou(expected, box) + away / track.side;
}

/**
 * Pair rows with columns so that as many pairs as possible are allowed, and then the sum of costs is least: the
 * Hungarian method by shortest augmenting paths (Kuhn 1955; Jonker & Volgenant 1987).
 */
export function assign(costs: readonly (readonly number[])[]): [row: number, column: number][] {
  const [rows, columns] = [costs.length, costs[0]?.length ?? 0];
  if (rows > columns) {
    const turned = Array.from({ length: columns }, (_, column) => costs.map((row) => row[column]));
    return assign(turned)
      .map(([row, column]): [number, number] => [column, row])
      .sort((a, b) => a[0] - b[0]);
  }
  const rowOf = new Array<number>(columns + 1).fill(-1); // the last column is where the search for each row begins
  const rowPrice = new Array<number>(rows).fill(0);
  const columnPrice = new Array<number>(columns + 1).fill(0);
  for (let start = 0; start < rows; start += 1) {
    rowOf[columns] = start;
    let column = columns;
    const distance = new Array<number>(columns).fill(Infinity);
    const cameFrom = new Array<number>(columns).fill(columns);
    const reached = new Array<boolean>(columns + 1).fill(false);
    while (rowOf[column] >= 0) {
      reached[column] = true;
      const row = rowOf[column];
      let nearest = -1;
      for (let each = 0; each < columns; each += 1) {
        if (reached[each]) continue;
        const through = costs[row][each] - rowPrice[row] - columnPrice[each];
        if (through < distance[each]) [distance[each], cameFrom[each]] = [through, column];
        if (nearest < 0 || distance[each] < distance[nearest]) nearest = each;
      }
      const step = distance[nearest];
      for (let each = 0; each <= columns; each += 1) {
        if (reached[each]) {
          rowPrice[rowOf[each]] += step;
          columnPrice[each] -= step;
        } else if (each < columns) distance[each] -= step;
      }
      column = nearest;
    }
    while (column !== columns) {
      const before = cameFrom[column];
      rowOf[column] = rowOf[before]; // hand the columns along the path on
      column = before;
    }
  }
  const pairs: [number, number][] = [];
  for (let column = 0; column < columns; column += 1) {
    const row = rowOf[column];
    if (row >= 0 && costs[row][column] < FORBIDDEN) pairs.push([row, column]);
  }
  return pairs.sort((a, b) => a[0] - b[0]);
}
