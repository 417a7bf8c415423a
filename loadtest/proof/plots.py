"""What was measured, as plots: an SVG for each table."""

import re
import subprocess
from pathlib import Path
from statistics import median

from .servers import TARGET, TOP
from .tables import CPU, Results

# by a case's name, what is drawn of it: the figure, a factor, the unit, and what the file is called
SPECIAL = {
    "latency": [("latency p99", 1, "p99 in µs", "latency")],
    "idle": [
        ("memory user per connection", 1, "KiB of user memory per idle connection", "idle-memory"),
        ("server cpu per connect", 1, "µs of CPU per connect", "idle-connect"),
    ],
}


def draw(file, folder):
    found = Results(file)
    command = ["cargo", "build", "--release", "--quiet", "-p", "mercury-loadtest"]
    subprocess.run([*command, "--example", "bars"], cwd=TOP, check=True)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for title in dict.fromkeys(case.table for case in found.cases):
        cases = [case for case in found.cases if case.table == title]
        name = re.sub(r"[^a-z0-9]+", "-", title.lower().replace(",000", "000")).strip("-")
        plain = [(CPU, 1, "µs of CPU per delivery", name)]
        for figure, factor, unit, name in SPECIAL.get(cases[0].name, plain):
            lines = [line for case in cases for line in bars(found, case, figure, factor)]
            if lines:
                write(Path(folder) / f"{name}.svg", unit, lines)


def bars(found, case, figure, factor):
    panel = f"{case.table}, {case.column}".rstrip(", ")
    for server in found.servers:
        values = [factor * value for value in found.values(case, server, figure)]
        # a logarithmic scale has no place for nothing
        if values and min(values) > 0:
            numbers = (str(it) for it in (median(values), min(values), max(values)))
            yield "\t".join([panel, server, *numbers])


def write(path, unit, lines):
    drawn = subprocess.run(
        [str(TARGET / "release/examples/bars"), unit],
        input="\n".join(lines),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    path.write_text(drawn.stdout)
    print(path)
