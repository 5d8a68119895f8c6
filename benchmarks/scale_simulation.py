"""What a bulk run costs on more workers than there are here: a simulation of the scheduler with measured service times.

    python benchmarks/scale_simulation.py --rate 60 --price 0.04
    python benchmarks/scale_simulation.py --quick

Not measured: this computes. A shard of images takes 1 / rate seconds an image on one CPU, spread lognormally as
measured; reading and writing its part takes a fixed time; a worker dies after an exponential time, its shard begins
anew and the worker takes some seconds to start again. The driver lists files and takes each shard's summary one after
the other, which is where more workers stop helping. Give the rate that ``mien score`` printed for one CPU.

Each line: images, workers, hours, efficiency (the time of the images alone over the time of all workers), share of the
work that was done twice, and cost.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import quick


@dataclass(frozen=True)
class Setting:
    """What the simulation assumes.

    Attributes:
        rate: images a second and CPU.
        spread: standard deviation of the logarithm of a shard's time.
        images_per_shard: images in one part.
        part_s: seconds to read and write for a shard, beside the images.
        start_s: seconds until a new worker has its models.
        life_h: hours after which a worker dies, on average.
        driver_s: seconds of the driver for each shard: planning, scheduling, its summary.
    """

    rate: float
    spread: float = 0.25
    images_per_shard: int = 500
    part_s: float = 0.5
    start_s: float = 5.0
    life_h: float = 200.0
    driver_s: float = 0.004


@dataclass(frozen=True)
class Outcome:
    """One simulated run; ``lost`` is the share of worker time spent on shards that a death cut off."""

    seconds: float
    efficiency: float
    lost: float


def simulate(images: int, workers: int, setting: Setting, seed: int = 0) -> Outcome:
    """Simulate one run, shard by shard."""
    draw = np.random.default_rng(seed)
    shards = -(-images // setting.images_per_shard)
    alone_s = setting.images_per_shard / setting.rate
    needed_S = alone_s * np.exp(setting.spread * draw.standard_normal(shards) - setting.spread**2 / 2) + setting.part_s
    free = [(setting.start_s, worker) for worker in range(min(workers, shards))]
    dies_W = setting.start_s + draw.exponential(setting.life_h * 3600, len(free))
    driver_s = end_s = lost_s = 0.0
    for needed_s in needed_S:
        at_s, worker = heapq.heappop(free)
        driver_s = max(driver_s, at_s) + setting.driver_s  # the driver hands out one shard after the other
        at_s = driver_s
        while at_s + needed_s > dies_W[worker]:
            lost_s += max(0.0, dies_W[worker] - at_s)
            at_s = max(at_s, dies_W[worker]) + setting.start_s
            dies_W[worker] = at_s + draw.exponential(setting.life_h * 3600)
        end_s = max(end_s, at_s + needed_s)
        heapq.heappush(free, (at_s + needed_s, worker))
    used_s = end_s * len(free)
    return Outcome(end_s, images / setting.rate / used_s, lost_s / used_s)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--rate", type=float, default=60.0, help="images a second and CPU, as mien score prints it")
    parser.add_argument("--price", type=float, default=0.04, help="of one CPU hour")
    parser.add_argument("--life-hours", type=float, default=200.0, help="after which a worker dies, on average")
    options = quick.parse(parser)
    setting = Setting(rate=options.rate, life_h=options.life_hours)
    runs = (
        [(10**5, 10)]
        if options.quick
        else [(n, w) for n in (10**6, 10**8) for w in (1, 10, 100, 1000)] + [(10**9, 1000)]
    )
    print(f"{'images':>13}  {'workers':>7}  {'hours':>9}  {'efficiency':>10}  {'twice':>6}  {'cost':>9}")
    for images, workers in runs:
        found = simulate(images, workers, setting)
        hours = found.seconds / 3600
        cost = hours * workers * options.price
        print(
            f"{images:>13,}  {workers:>7,}  {hours:>9.2f}  {found.efficiency:>10.1%}  {found.lost:>6.2%}  {cost:>9.2f}"
        )


if __name__ == "__main__":
    main()
