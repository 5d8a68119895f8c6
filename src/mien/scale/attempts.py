"""Record which shard a worker was scoring when it died, so that a file that kills workers is found and left out.

A worker that dies cannot report why. So a worker tells this actor when it begins a shard. If the same shard begins a
second time, the worker names every image before it reads it. If the worker dies again, the last named image killed it:
the third attempt skips this image and writes it to the errors.

The actor runs in a process of its own and survives the workers, but not the driver. After a restart of the driver the
same file kills two workers again before it is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """How a shard is to be scored.

    Attributes:
        number: 1 for the first time.
        skip: names of images that killed a worker.
    """

    number: int
    skip: frozenset[str] = frozenset()

    @property
    def careful(self) -> bool:
        """Whether each image has to be named before it is read."""
        return self.number > 1


@dataclass
class Attempts:
    """State of all shards; runs as a Ray actor."""

    counts: dict[str, int] = field(default_factory=dict)
    reading: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, set[str]] = field(default_factory=dict)

    def begin(self, key: str) -> Attempt:
        """A worker starts a shard."""
        self.counts[key] = self.counts.get(key, 0) + 1
        suspect = self.reading.pop(key, None)
        if suspect is not None:  # the last attempt died while it read this
            self.skipped.setdefault(key, set()).add(suspect)
        return Attempt(self.counts[key], frozenset(self.skipped.get(key, ())))

    def reads(self, key: str, name: str) -> None:
        """A careful attempt is about to read an image."""
        self.reading[key] = name

    def finish(self, key: str) -> None:
        """The shard's part is written."""
        for table in (self.counts, self.reading, self.skipped):
            table.pop(key, None)


def start_attempts() -> Any:
    """Start ``Attempts`` as an actor on the driver's node, because it must survive the loss of every other node."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    ledger: Any = ray.remote(Attempts)  # Ray's types know nothing of this strategy
    return ledger.options(num_cpus=0, max_restarts=0, scheduling_strategy=here).remote()
