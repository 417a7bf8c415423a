"""A session: every server with every case, in turn, so that a machine that drifts drifts for all."""

import json
import time
from datetime import datetime, timezone
from pathlib import Path

from . import machine
from .client import drive
from .servers import Running


class Session:
    """All that is to be measured, and the file that remembers what was."""

    def __init__(self, servers, cases, options):
        self.servers, self.cases, self.options = servers, cases, options
        self.cores = cores(options.cores)
        self.given = {server.name: server.fetch() for server in servers}
        self.running = {}
        self.done = {
            (line["round"], line["case"], line["server"])
            for line in results(options.file)
            if "error" not in line["figures"]
        }

    def remaining(self):
        """What is still to be measured, in order: each case starts with another server."""
        for number in range(self.options.rounds):
            for at, case in enumerate(self.cases):
                first = (number + at) % len(self.servers)
                for server in self.servers[first:] + self.servers[:first]:
                    key = (number, case.name, server.name)
                    if case.kind not in server.cannot and key not in self.done:
                        yield number, case, server

    def seconds(self, tasks):
        options = self.options
        return sum(case.seconds(options.seconds, options.warm_up) for _, case, _ in tasks)

    def run(self):
        """Measures what is left; says whether that was all."""
        tasks = list(self.remaining())
        ends = time.monotonic() + 60 * self.options.minutes
        self.begin(tasks)
        try:
            for at, (number, case, server) in enumerate(tasks):
                if time.monotonic() > ends:
                    print(f"{self.options.minutes} minutes are over; the same command goes on")
                    return False
                figures = self.measure(case, server)
                self.append(round=number, case=case.name, server=server.name, figures=figures)
                left = self.seconds(tasks[at + 1 :])
                print(
                    f"round {number + 1} of {self.options.rounds}, {minutes(left)} left: "
                    f"{case.name:20} {server.name:12} {sentence(figures)}",
                    flush=True,
                )
        finally:
            while self.running:
                self.running.popitem()[1].stop()
        return True

    def begin(self, tasks):
        versions = {server.name: server.version(self.given[server.name]) for server in self.servers}
        date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        what = machine.description()
        self.append(date=date, machine=what, versions=versions, rounds=self.options.rounds)
        print(f"{what}; servers on core {self.cores[0]}, the client on core {self.cores[1]}")
        for name, version in versions.items():
            print(f"  {name:12} {version}")
        print(f"{len(tasks)} measurements, about {minutes(self.seconds(tasks))}", flush=True)

    def measure(self, case, server):
        try:
            running = self.running.get(server.name)
            if running is not None and not case.sends():
                self.running.pop(server.name).stop()
                running = None
            if running is None or not running.is_running():
                running = self.running[server.name] = self.start(server)
            figures = drive(running, case, self.options, self.cores[1])
            if "error" in figures:
                # the next one shall not suffer from what this one left behind
                self.running.pop(server.name).stop()
            return figures
        except RuntimeError as error:
            return {"error": str(error)}

    def start(self, server):
        return Running(server, self.cores[0], self.given[server.name])

    def append(self, **line):
        with Path(self.options.file).open("a") as file:
            file.write(json.dumps(line) + "\n")


def cores(chosen):
    if chosen[0] == chosen[1]:
        print("Server and client share a core: compare no figures of time")
    return chosen


def results(file):
    """The measurements in a file; a line that was cut off ends it."""
    return [line for line in lines(file) if "figures" in line]


def sessions(file):
    return [line for line in lines(file) if "versions" in line]


def lines(file):
    if not Path(file).exists():
        return []
    found = []
    for line in Path(file).read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            print(f"{file}: not JSON, left out: {line[:60]}")
    return found


def minutes(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def sentence(figures):
    if "error" in figures:
        return f"FAILED: {figures['error']}"
    words = []
    for name, form in SHOWN.items():
        if name in figures:
            words.append(form.format(figures[name]))
    return ", ".join(words)


SHOWN = {
    "server cpu per delivery": "{:.2f} µs",
    "server cpu per connect": "{:.1f} µs a connect",
    "memory user per connection": "{:.2f} KiB each",
    "load throughput": "{:,.0f}/s",
    "latency p99": "p99 {:,.0f} µs",
    "elsewhere": "elsewhere {:.0f} %",
}
