"""What this computer lets a process use, and what it calls itself.

    usable_cpus()      # 2, in a container of two CPUs on a machine of 64
    usable_memory()    # 4e9, in a container of 4 GB
    processor_name()   # "AMD EPYC"

Not here: accelerators (providers.py).
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows what containers may use."""


def usable_cpus(cgroups: Path = CGROUPS) -> int:
    """CPUs that this process may use: its affinity, cut by the quota of its container; at least 1."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cpus, *_quotas(cgroups)]))


def _quotas(cgroups: Path) -> Iterator[int]:
    """Quotas in whole CPUs, rounded up; none where there is no limit."""
    try:  # version 2: "200000 100000" is two CPUs, "max 100000" is no limit
        quota_us, period_us = (cgroups / "cpu.max").read_text().split()
        yield math.ceil(int(quota_us) / int(period_us))
    except (OSError, ValueError):
        pass
    try:  # version 1: -1 is no limit
        quota_us, period_us = ((cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(quota_us) > 0:
            yield math.ceil(int(quota_us) / int(period_us))
    except (OSError, ValueError):
        pass


ASSUMED_MEMORY_BYTES = 8_000_000_000
"""Where the system does not say how much there is."""


def usable_memory(cgroups: Path = CGROUPS) -> int:
    """Bytes of memory that this process may use: the machine's, cut by the limit of its container."""
    try:
        here = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        here = ASSUMED_MEMORY_BYTES
    limits = [here]
    for file in (cgroups / "memory.max", cgroups / "memory" / "memory.limit_in_bytes"):  # versions 2 and 1
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # not there, or "max"
            pass
    return min(limits)


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor, as far as the system tells."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
