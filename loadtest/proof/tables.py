"""What was measured, as tables of a page: medians, with the least and the most beside them."""

from statistics import median

from .cases import CASES
from .rounds import results, sessions

# what all are compared with
OURS = "mercury"
CPU = "server cpu per delivery"
LATENCY = {
    "latency p50": ("p50, µs", 1),
    "latency p99": ("p99, µs", 1),
    "latency p99.9": ("p99.9, µs", 1),
    CPU: ("CPU of a delivery, µs", 1),
}

IDLE = {
    "memory user per connection": ("user memory of a connection, KiB", 1),
    "server cpu per connect": ("CPU of a connect, µs", 1),
    "load throughput": ("connects/s", 1),
    "latency p99": ("handshake p99, ms", 1e-3),
}
# by a case's name, the columns of its table
SPECIAL = {"latency": LATENCY, "idle": IDLE}


class Results:
    """All that was measured without a fault, and the faults."""

    def __init__(self, file):
        self.figures, self.rounds, self.faults = {}, {}, []
        for line in results(file):
            key = (line["case"], line["server"])
            if "error" in line["figures"]:
                self.faults.append((*key, line["round"], line["figures"]["error"]))
            else:
                self.figures.setdefault(key, []).append(line["figures"])
                self.rounds.setdefault(key, {})[line["round"]] = line["figures"]
        if not self.figures:
            raise RuntimeError(f"{file} holds no measurement")
        self.sessions = sessions(file)
        self.servers = list(dict.fromkeys(server for _, server in self.figures))
        measured = {case for case, _ in self.figures}
        self.cases = [case for case in CASES if case.name in measured]

    def values(self, case, server, figure):
        return [it[figure] for it in self.figures.get((case.name, server), []) if figure in it]

    def sends(self):
        """Whether anything was delivered."""
        return any(case.sends() for case in self.cases)

    def ratio(self, case, server, figure):
        """The median of ours to another's in the same round; none where one of them is missing.

        A machine that is slower for a while is so for both of a round, and for both medians only
        by chance."""
        ours, theirs = (self.rounds.get((case.name, name), {}) for name in (OURS, server))
        both = [(it.get(figure), theirs[at].get(figure)) for at, it in ours.items() if at in theirs]
        each = [one / other for one, other in both if one is not None and other]
        return median(each) if each else None


def page(file):
    found = Results(file)
    parts = [machines(found)]
    for name in dict.fromkeys(case.table for case in found.cases):
        cases = [case for case in found.cases if case.table == name]
        parts.append(f"### {name}\n\n{body(found, cases)}")
    if found.sends():
        parts.append(
            f"### mercury's CPU of a delivery, as a ratio to the others'\n\n{ratios(found)}"
        )
    if found.faults:
        faults = [f"- {s}, {c}, round {r + 1}: {error}" for c, s, r, error in found.faults]
        parts.append("### Faults\n\n" + "\n".join(faults))
    return "\n\n".join(parts)


def machines(found):
    """Where and when, which versions, and how quiet it was."""
    said = dict.fromkeys(f"{line['date'][:10]}, {line['machine']}." for line in found.sessions)
    versions = {}
    for line in found.sessions:
        versions.update(line["versions"])
    rows = [[name, versions.get(name, "")] for name in found.servers]
    loads = [it["elsewhere"] for figures in found.figures.values() for it in figures]
    noise = (
        f"Meanwhile, others had {median(loads):.0f} % of a core in the median measurement, "
        f"{max(loads):.0f} % in the worst."
    )
    return "\n".join(said) + f"\n{noise}\n\n{table(['server', 'version'], rows)}"


def body(found, cases):
    if cases[0].name in SPECIAL:
        return columns(found, cases[0], SPECIAL[cases[0].name])
    heads = ["server", *(f"CPU, µs, {case.column}" for case in cases)]
    heads += [f"deliveries/s, {case.column}" for case in cases]
    rows = []
    for server in found.servers:
        cpu = [spread(found.values(case, server, CPU)) for case in cases]
        rates = [found.values(case, server, "load throughput") for case in cases]
        if any(cpu):
            rows.append([server, *cpu, *(f"{median(all_):,.0f}" if all_ else "" for all_ in rates)])
    return table(heads, rows)


def columns(found, case, figures):
    heads = ["server", *(head for head, _ in figures.values())]
    rows = []
    for server in found.servers:
        cells = [
            spread([factor * value for value in found.values(case, server, figure)])
            for figure, (_, factor) in figures.items()
        ]
        if any(cells):
            rows.append([server, *cells])
    return table(heads, rows)


def ratios(found):
    others = [server for server in found.servers if server != OURS]
    rows = []
    for case in found.cases:
        cells = [found.ratio(case, server, CPU) for server in others]
        if any(cells):
            title = f"{case.table}, {case.column}".rstrip(", ")
            rows.append([title, *("" if it is None else f"{it:.2f}" for it in cells)])
    return table(["load", *others], rows)


def spread(values):
    """`**median** (least to most)`."""
    if not values:
        return ""
    middle, least, most = (short(it) for it in (median(values), min(values), max(values)))
    return f"**{middle}** ({least} to {most})"


def short(value):
    """Three digits that count, and no more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
