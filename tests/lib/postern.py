"""Postern's own programs in whole-process tests: started in a folder of the test's, waited for by condition, ended by their own process.

    with Edge(folder) as edge:
        edge.command("table prepare base-1")["ok"]
        smtp = Client(edge.port)

A program keeps its ports over a restart (`stop` or `kill`, then `start`), writes its log to a file, and `log()` gives its events. What it
is built from is the folder POSTERN_BIN (build/release/bin unless set).
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import weakref

from lib.smtp import Place

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("POSTERN_BIN", ROOT / "build" / "release" / "bin")).resolve()


def free_port():
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def toml(sections):
    """{"section": {key: value}, "tables": [{…}, {…}]} as TOML."""
    lines = []
    for name, content in sections.items():
        for table in content if isinstance(content, list) else [content]:
            lines.append(f"[[{name}]]" if isinstance(content, list) else f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def merged(defaults, changes):
    """Sections of `defaults` with the keys of `changes` on top; lists are replaced."""
    out = {name: list(content) if isinstance(content, list) else dict(content) for name, content in defaults.items()}
    for name, content in (changes or {}).items():
        out[name] = content if isinstance(content, list) else {**out.get(name, {}), **content}
    return out


class Program:
    """One program with a log file. A subclass says its command and when it is ready."""

    name = ""
    launched = weakref.WeakSet()  # all of this test run: a test that fails shows their logs
    start_within = 30
    stop_within = 30

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_file = self.folder / f"{self.name}.log"
        self.process = None

    def arguments(self):
        raise NotImplementedError

    def ready(self):
        """Whether the program answers."""
        raise NotImplementedError

    def environment(self):
        return os.environ

    @property
    def program(self):
        return BIN / self.name

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def launch(self):
        """Starts the process and does not wait for it."""
        assert not self.running, f"{self.name} runs already"
        Program.launched.add(self)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([self.program, *self.arguments()], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment())

    def start(self):
        self.launch()
        end = time.monotonic() + self.start_within
        try:
            while not self.ready():
                assert self.running, f"{self.name} ended with {self.process.returncode}:\n{self.log_text()[-4000:]}"
                assert time.monotonic() < end, f"{self.name} is not ready after {self.start_within} s:\n{self.log_text()[-4000:]}"
                time.sleep(0.01)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(self.stop_within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {self.stop_within} s:\n{self.log_text()[-4000:]}") from None

    def kill(self):
        """SIGKILL: nothing is finished, written or said."""
        if self.running:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def run(self, *arguments, timeout=30):
        """The program with other arguments, to its end; gives the completed process with text output."""
        return subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL, env=self.environment())

    def log_text(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log(self, event=None):
        """The log's events as objects, oldest first; only those named `event` if it is given."""
        events = [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]
        return [each for each in events if event is None or each["event"] == event]

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None:
            self.kill()
            return
        status = self.stop()
        assert status in (0, -signal.SIGKILL), f"{self.name} ended with {status}:\n{self.log_text()[-4000:]}"


class EdgeSocket:
    """A connection to an edge socket: one line out, one JSON object back."""

    def __init__(self, path, timeout=60):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def send(self, line):
        self._socket.sendall(line.encode() + b"\n")

    def answer(self):
        """The next answer; None if the edge closed the connection."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def command(self, line):
        self.send(line)
        return self.answer()

    def close(self):
        self._lines.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Edge(Program):
    """postern-edge on a port of its own, with FOLDER/edge.toml, FOLDER/state, FOLDER/tables (or `tables`) and FOLDER/edge.sock.

    `settings` are sections of edge.toml that change or add to the defaults of the tests: {"limits": {"recipients": 200}}. With a
    `network` (lib/port_network.py) it is over a network port of Postern's own, and `port` knows the way of the clients.
    """

    name = "postern-edge"

    def __init__(self, folder, settings=None, tables=None, port=None, network=None):
        super().__init__(folder)
        self.network = network
        self.port = network.place if network else Place(port or free_port())
        self.state = self.folder / "state"
        self.tables = pathlib.Path(tables or self.folder / "tables")
        self.socket = self.folder / "edge.sock"
        self.configuration = self.folder / "edge.toml"
        self.settings = merged({
            "edge": {"name": "edge.example.com", "user": "", "state": str(self.state), "tables": str(self.tables), "socket": str(self.socket),
                     "shards": 2},
            "listener": [{"address": "127.0.0.1", "port": self.port}],
            "limits": {"connections": 2000, "connections_per_source": 2000},
            "timeouts": {"drain": 10},
            "egress": {"allowed": ["127.0.0.0/8"]},
            "log": {"level": "debug"},
        }, merged(network.settings, settings) if network else settings)
        self.state.mkdir(exist_ok=True)
        self.tables.mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, changes=None):
        """Writes edge.toml anew, for the next start."""
        self.settings = merged(self.settings, changes)
        self.configuration.write_text(toml(self.settings))

    def start(self):
        super().start()
        if self.network:
            self.network.attach()
        return self

    def environment(self):
        return dict(os.environ, **self.network.environment) if self.network else os.environ

    def arguments(self):
        return ["--config", self.configuration]

    def ready(self):
        try:
            return self.command("show version")["pid"] == self.process.pid
        except (OSError, TypeError, ValueError):
            return False

    def command(self, line, timeout=60):
        """One command over a connection of its own; the answer as an object."""
        with EdgeSocket(self.socket, timeout) as connection:
            return connection.command(line)

    def good(self, line):
        """A command that must be answered with ok."""
        answer = self.command(line)
        assert answer["ok"], (line, answer)
        return answer

    def put_in_force(self, base, overlay=""):
        """Prepares and commits files of the tables folder; the commit's answer."""
        with EdgeSocket(self.socket) as connection:
            for line in (f"table prepare {base} {overlay}", "table commit"):
                answer = connection.command(line)
                assert answer["ok"], (line, answer)
            return answer

    def serve(self, addresses, mail_server, name="base", generation=1, domain="example.com", mode="enforce"):
        """Builds a base file of one domain and puts it in force; the mail server is at this port of 127.0.0.1."""
        self.build_table(addresses, mail_server, name, generation, domain, mode)
        return self.put_in_force(name)

    def build_table(self, addresses, mail_server, name="base", generation=1, domain="example.com", mode="enforce"):
        listing = self.folder / f"{name}.txt"
        listing.write_text("".join(f"{address}\n" for address in addresses))
        subprocess.run([BIN / "postern-table", "build", "--generation", str(generation), "--domain", f"{domain}={mode},127.0.0.1:{mail_server}",
                        "--output", self.tables / name, listing], check=True, capture_output=True)

    def counter(self, name):
        return self.good("show counters")["counters"][name]
