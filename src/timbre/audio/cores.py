"""How many cores there are for us, which decides how many processes decode."""

import os
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = CPU_QUOTA) -> int:
    """Cores this process may use: those it may run on, and no more than its container's quota pays for.

    Args:
        quota: the control group's `cpu.max`: microseconds of CPU per period, or `max`, and the period.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        paid, period = quota.read_text().split()
    except OSError:  # no control groups, or none for us
        return cores
    return cores if paid == "max" else max(1, min(cores, int(paid) // int(period)))
