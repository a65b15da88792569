"""How much of this machine is ours."""

import os


def processors() -> int:
    """How many we may use; in a container often fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
