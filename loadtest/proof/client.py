"""The load tester, driven: one run is one flat set of figures."""

import json
import os
import subprocess

from . import machine
from .servers import TARGET

# seconds beyond what a run should take, after which it is given up
PATIENCE = 30


def drive(running, case, options, core):
    """Runs the case against the server and gives its figures; a fault is one of them."""
    words = [str(TARGET / "release/mercury-loadtest"), *case.words, *running.server.client]
    words += ["--url", f"http://127.0.0.1:{running.port}", "--pid", str(running.worker())]
    words += ["--json", "-"]
    if case.sends():
        words += running.server.sends
        words += ["--seconds", str(options.seconds * case.longer)]
        words += ["--warm-up", str(options.warm_up)]
    before = machine.now(running.pids())
    try:
        run = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=case.seconds(options.seconds, options.warm_up) + PATIENCE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not over {PATIENCE} s after it should have been"}
    said = run.stderr.strip()
    try:
        report = json.loads(run.stdout)["reports"][0]
    except (ValueError, LookupError):
        return {"error": first(said) or f"no report, status {run.returncode}"}
    figures = {f"{row['group']} {row['name']}": row["value"] for row in report["rows"]}
    figures["elsewhere"] = machine.elsewhere(before, machine.now(running.pids()))
    if run.returncode or not report["ok"]:
        figures["error"] = first(said) or "not all was delivered once and in order"
    elif "latency p50" not in figures:
        figures["error"] = "nothing that was sent in the measured time was delivered"
    return figures


def first(said):
    return said.split("\n", 1)[0][:300]
