"""What the machine did meanwhile: figures from one that was busy with other things mislead."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Moment:
    """CPU seconds so far."""

    wall: float
    # of the whole machine, with what a hypervisor took away from it
    busy: float
    # of what we started: ended clients, and servers that still run
    ours: float


def now(pids):
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, hard, soft, stolen = (int(word) / TICKS for word in words)
    children = os.times()
    ours = children.children_user + children.children_system + sum(map(cpu_seconds, pids))
    return Moment(time.monotonic(), user + nice + system + hard + soft + stolen, ours)


def cpu_seconds(pid):
    try:
        # behind the name, which may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def elsewhere(before, after):
    """Per cent of one core that somebody else had between two moments."""
    others = (after.busy - before.busy) - (after.ours - before.ours)
    return max(0.0, 100 * others / max(after.wall - before.wall, 1e-9))


def description():
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = models[0] if models else platform.machine()
    return f"{len(os.sched_getaffinity(0))} cores of {model}, Linux {platform.release()}"
