"""The loads: what each asks of a server, in words of the load tester."""

from dataclasses import dataclass

# 40,000 deliveries a second: far below what any of the servers can do
LATENCY_SUBSCRIBERS, LATENCY_RATE = 1000, 40
IDLE_CONNECTIONS = 10_000
# seconds around the measured ones: connecting, ending, and a look around
AROUND = 1.0


@dataclass(frozen=True)
class Case:
    """One load."""

    name: str
    # what it needs of a server: fanout, pushpull or idle
    kind: str
    # the table that it stands in, and its column there
    table: str
    column: str
    words: tuple
    # of the time that was asked for: a latency needs more messages
    longer: float = 1.0
    # seconds that it takes where that is not asked: it ends by itself, and wants a server that
    # nobody has used, since what one once held it may keep
    alone: float = 0.0

    def sends(self):
        """Whether there is more to it than connections."""
        return not self.alone

    def seconds(self, seconds, warm_up):
        """How long it takes, roughly."""
        if self.alone:
            return self.alone
        return seconds * self.longer + warm_up + AROUND


def fanout(subscribers, size, window):
    name = f"fanout-{subscribers}-{'1k' if size == 1024 else size}-w{window}"
    table = f"Fan-out 1 to {subscribers:,}, {'1 KiB' if size == 1024 else f'{size} B'}"
    words = f"fanout --subscribers {subscribers} --size {size} --window {window}"
    return Case(name, "fanout", table, f"window {window}", tuple(words.split()))


CASES = [
    *(
        fanout(subscribers, size, window)
        for subscribers in (100, 1000)
        for size in (128, 1024)
        for window in (1, 16, 64)
    ),
    Case(
        "pushpull-w16",
        "pushpull",
        "Push/pull, 4 to 8, 128 B",
        "window 16",
        tuple("pushpull --pushers 4 --pullers 8 --size 128 --window 16".split()),
    ),
    Case(
        "latency",
        "fanout",
        "Latency at 40,000 deliveries a second, 1 to 1,000, 128 B",
        "",
        tuple(
            f"fanout --subscribers {LATENCY_SUBSCRIBERS} --rate {LATENCY_RATE} --size 128".split()
        ),
        longer=2.5,
    ),
    Case(
        "idle",
        "idle",
        f"{IDLE_CONNECTIONS:,} idle connections",
        "",
        tuple(f"idle --connections {IDLE_CONNECTIONS} --hold 3s".split()),
        alone=12.0,
    ),
]
