"""The servers: where each comes from, how it is started, and what it can do."""

import ctypes
import functools
import getpass
import gzip
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
TOP = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mercury"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or TOP / "target")
SOCKETIFY = "socketify==0.0.31"
# seconds until a server must accept connections, and until it must have ended
START_MAX, STOP_MAX = 15, 5


@dataclass
class Server:
    """What can be started and measured."""

    name: str
    # words in which {port}, {folder} and what `fetch` gives are filled in
    command: list
    # gives what the command and the configuration need, after fetching it if need be
    fetch: callable = lambda: {}
    # a file of this folder in which @port@ and the like are filled in, as {config}
    config: str = ""
    # gives the version, from what `fetch` gave
    version: callable = lambda given: "as given"
    # whether a process below the one that is started does the work
    forks: bool = False
    # more words for the load tester, and more where it sends
    client: list = field(default_factory=list)
    sends: list = field(default_factory=list)
    # kinds of cases that it has no means for, and why
    cannot: dict = field(default_factory=dict)


class Running:
    """One started server, pinned to one core, in a process group of its own."""

    def __init__(self, server, core, given):
        self.server = server
        self.scratch = tempfile.TemporaryDirectory(prefix=f"versus-{server.name}-")
        folder = Path(self.scratch.name)
        # nginx's worker is somebody else, and must reach its folders
        folder.chmod(0o755)
        self.port = free_port()
        words = {"port": str(self.port), "folder": str(folder), "here": str(HERE)}
        words = {**words, "user": getpass.getuser(), **given}
        if server.config:
            words["config"] = str(folder / server.config)
            text = (HERE / server.config).read_text()
            for word, value in words.items():
                text = text.replace(f"@{word}@", str(value))
            Path(words["config"]).write_text(text)
        # outside of the scratch folder, so that what it said survives
        self.log = Path(tempfile.gettempdir()) / f"versus-{server.name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [word.format(**words) for word in server.command],
                env={**os.environ, **words.get("environment", {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
        self.await_listener()

    def await_listener(self):
        deadline = time.monotonic() + START_MAX
        while time.monotonic() < deadline and self.is_running():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                # it may listen before there is a worker
                if not self.server.forks or len(self.pids()) > 1:
                    return
            except OSError:
                pass  # not yet
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.server.name} does not listen; what it said is in {self.log}")

    def pids(self):
        """Its processes, parents first."""
        pids = [self.process.pid]
        for pid in pids:
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
                pids.extend(int(child) for child in children.split())
            except OSError:
                pass  # it has just ended
        return pids

    def worker(self):
        """The process that does the work: nginx's first one only watches over it."""
        return self.pids()[-1]

    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        pids = self.pids() if self.is_running() else []
        if pids:
            self.process.terminate()
        try:
            self.process.wait(STOP_MAX)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # this one obeyed
            self.process.wait()
        self.scratch.cleanup()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def output(*command, **options):
    """What a command says, on both ways out; some say their version and end with an error."""
    found = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    return found.stdout


def from_packages(words, *arguments):
    """Runs words of shell that may use what `tests/packages` defines."""
    script = f"""
        fail() {{ echo "$*" >&2; exit 1; }}
        cache=$1 PATH=$PATH:/usr/sbin
        mkdir -p "$cache"
        . tests/packages
        exec 3>&1 >&2
        {words}
    """
    command = ["bash", "-euo", "pipefail", "-c", script, "versus", str(CACHE), *arguments]
    run = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        raise RuntimeError(f"cannot fetch {arguments[-1]}, see above")
    return run.stdout.strip()


@functools.cache
def program(name, package):
    """A program of a Debian package, installed or unpacked into the cache."""
    return from_packages('fetched "$2" "$3"; command -v "$2" >&3', name, package)


def built(*names):
    """Programs of this project."""
    paths = {name.rsplit("/")[-1]: TARGET / "release" / name for name in names}
    for path in paths.values():
        if not path.exists():
            raise RuntimeError(f"{path} is missing; `loadtest/versus run` builds it")
    return {name: str(path) for name, path in paths.items()}


def nchan():
    nginx = program("nginx", "libnginx-mod-nchan")
    module = "usr/lib/nginx/modules/ngx_nchan_module.so"
    roots = [root for root in (CACHE / "libnginx-mod-nchan", Path("/")) if (root / module).exists()]
    if not roots:
        raise RuntimeError("nginx is here without nchan: apt-get install libnginx-mod-nchan")
    # a folder that only an installed nginx has is written into the module, whatever nginx.conf says;
    # as long a name without a slash is one below --prefix
    code = (roots[0] / module).read_bytes().replace(b"/var/lib/nginx/body", b"client-request-body")
    movable = CACHE / "ngx_nchan_module.so"
    movable.write_bytes(code)
    log = roots[0] / "usr/share/doc/libnginx-mod-nchan/changelog.Debian.gz"
    return {"nginx": nginx, "module": str(movable), "log": str(log)}


def nchan_version(given):
    nginx = output(given["nginx"], "-v").split("/")[-1].strip()
    with gzip.open(given["log"], "rt") as log:
        version = re.search(r"\(([^)]*)\)", log.readline()).group(1)
    return f"{version} in nginx {nginx}"


def uwebsockets():
    """A Python of its own with socketify, and libuv, which that needs."""
    home = CACHE / "socketify"
    python = str(home / "bin/python")
    environment = {}
    try:
        ctypes.CDLL("libuv.so.1")
    except OSError:
        root = CACHE / "libuv1"
        if not root.exists():
            print("Fetching the Debian package libuv1 (not installed)", file=sys.stderr)
            from_packages('unpacked "$2" "$cache/$2" || fail', "libuv1")
        library = next(root.glob("usr/lib/*/libuv.so.1"))
        environment["LD_LIBRARY_PATH"] = str(library.parent)
    check = [python, "-c", "import socketify"]
    if not Path(python).exists() or subprocess.run(
        check, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    ).returncode:
        print(f"Fetching {SOCKETIFY} into {home} (not installed)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", SOCKETIFY], check=True)
        subprocess.run(check, env={**os.environ, **environment}, check=True)
    return {"python": python, "environment": environment}


def mercury_version(given):
    commit = output("git", "describe", "--always", "--dirty", cwd=TOP).strip()
    return f"{output(given['mercury'], 'version').split()[-1]}, commit {commit}"


def locked(crate):
    lock = (TOP / "Cargo.lock").read_text()
    return re.search(f'name = "{crate}"\nversion = "(.*)"', lock).group(1)


def first_number(text):
    return re.search(r"\d+(\.\d+)+", text).group()


ONE_WAY = {"pushpull": "hands each message to every subscriber"}
SERVERS = [
    Server(
        "mercury",
        "{mercury} broker --mode production --shards 1 --listen http://127.0.0.1:{port}".split(),
        fetch=lambda: built("mercury"),
        version=mercury_version,
    ),
    Server(
        "uwebsockets",
        "{python} {here}/uwebsockets.py {port} load".split(),
        fetch=uwebsockets,
        version=lambda given: f"core, as in {SOCKETIFY.replace('==', ' ')}",
        client="--sub-path /sub/load".split(),
        sends="--pub-path /pub/load".split(),
        cannot=ONE_WAY,
    ),
    Server(
        "nchan",
        "{nginx} -e stderr -p {folder} -c {config}".split(),
        fetch=nchan,
        config="nginx.conf",
        forks=True,
        version=nchan_version,
        # each publish is answered with the state of its channel
        sends=["--answers"],
        cannot=ONE_WAY,
    ),
    Server(
        "nats",
        "{nats} --config {config}".split(),
        fetch=lambda: {"nats": program("nats-server", "nats-server")},
        config="nats.conf",
        version=lambda given: first_number(output(given["nats"], "--version")),
        client=["--dialect", "nats"],
    ),
    Server(
        "mosquitto",
        "{mosquitto} -c {config}".split(),
        fetch=lambda: {"mosquitto": program("mosquitto", "mosquitto")},
        config="mosquitto.conf",
        version=lambda given: first_number(output(given["mosquitto"], "-h")),
        client=["--dialect", "mqtt"],
        cannot=ONE_WAY,
    ),
    Server(
        "axum",
        "{naive} 127.0.0.1:{port}".split(),
        fetch=lambda: built("examples/naive"),
        version=lambda given: f"{locked('axum')}, loadtest/examples/naive.rs",
        cannot=ONE_WAY,
    ),
]


def others(texts):
    """Servers with mercury's routes, given as NAME=COMMAND with {port}."""
    servers = []
    for text in texts:
        name, _, command = text.partition("=")
        if not re.fullmatch(r"[a-z0-9-]+", name) or "{port}" not in command:
            raise RuntimeError(f"not NAME=COMMAND with {{port}} in it: {text}")
        servers.append(Server(name, command.split()))
    return servers
