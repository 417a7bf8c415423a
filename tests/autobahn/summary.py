"""Tells what the Autobahn test suite found, by group, and fails unless all is as it must be.

    python2 summary.py FOLDER

The folder holds the suite's reports, index.json first. Runs on Python 2.7, which the suite needs
anyway, and on 3.
"""

from __future__ import print_function

import json
import os
import sys

GROUPS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "op codes",
    5: "fragmentation",
    6: "UTF-8",
    7: "closing",
    9: "limits",
    10: "auto-fragmentation",
}
# Text that is found wrong only at its end, not at its first wrong byte: both are RFC 6455.
MAY_BE_NON_STRICT = {"6.4.3", "6.4.4"}
# Without right or wrong, so that nothing is proved by them.
INFORMATIONAL = 3
CASES = 301


def order(case):
    """Cases as people count them."""
    return [int(part) for part in case.split(".")]


def verdict(case, result):
    """The worst that is said of a case: OK, NON-STRICT, INFORMATIONAL or FAILED."""
    said = {result["behavior"], result["behaviorClose"]}
    if not said <= {"OK", "NON-STRICT", "INFORMATIONAL"}:
        return "FAILED"
    if "NON-STRICT" in said:
        return "NON-STRICT" if case in MAY_BE_NON_STRICT else "FAILED"
    return "INFORMATIONAL" if "INFORMATIONAL" in said else "OK"


def table(results):
    """A line for each group."""
    words = ["OK", "NON-STRICT", "INFORMATIONAL", "FAILED"]
    row = "{:>5}  {:18} {:>5} {:>5} {:>10} {:>13} {:>6} {:>9}"
    print(row.format("group", "", "cases", *(words + ["seconds"])))
    for group in sorted({order(case)[0] for case in results}):
        cases = {case: results[case] for case in results if order(case)[0] == group}
        said = [verdict(case, result) for case, result in cases.items()]
        seconds = sum(result["duration"] for result in cases.values()) / 1000.0
        counts = [said.count(word) for word in words]
        name = GROUPS.get(group, "unknown")
        print(row.format(group, name, len(cases), *(counts + ["{:.1f}".format(seconds)])))


def tell(folder, case, result):
    """A case that is not clean: what was said of it, and why."""
    line = "{} {}: {}, close {}, close code {}".format(
        verdict(case, result), case, result["behavior"], result["behaviorClose"],
        result.get("remoteCloseCode"))
    with open(os.path.join(folder, result["reportfile"])) as report:
        reasons = json.load(report)
    print("  " + line)
    for reason in ["result", "resultClose"]:
        print("      " + reasons[reason].encode("ascii", "replace").decode())


def main(folder):
    """What is wrong, in sentences."""
    with open(os.path.join(folder, "index.json")) as index:
        results = json.load(index).get("mercury", {})
    table(results)
    for case in sorted(results, key=order):
        if verdict(case, results[case]) != "OK":
            tell(folder, case, results[case])
    said = [verdict(case, result) for case, result in results.items()]
    wrong = []
    if len(results) != CASES:
        wrong.append("{} cases ran, and not {}".format(len(results), CASES))
    if "FAILED" in said:
        wrong.append("{} cases failed".format(said.count("FAILED")))
    if said.count("INFORMATIONAL") != INFORMATIONAL:
        wrong.append("{} cases are informational, and not {}".format(
            said.count("INFORMATIONAL"), INFORMATIONAL))
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    WRONG = main(sys.argv[1])
    if WRONG:
        sys.exit("FAILED: " + "; ".join(WRONG))
