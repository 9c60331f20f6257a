"""A whole system in whole-process tests: an edge, control, and posternctl between a test and them.

    with System(folder) as system:
        system.serve("example.com", mail_server_port, ["alice@example.com"])
        reply = rcpt_reply(system.smtp, "alice@example.com")
"""

import os
import pathlib
import subprocess

from postern import BIN, Edge, Program, free_port, merged, toml


class Control(Program):
    """postern-control with its state below FOLDER and a loopback API; `ready` when /healthz answers and its token is there."""

    name = "postern-control"

    def __init__(self, folder, tables, edges, settings=None, edge_ports=()):
        super().__init__(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = self.folder / "control"
        self.token_file = self.state / "admin.token"
        self.configuration = self.folder / "control.toml"
        self.settings = merged({
            "control": {"state": str(self.state), "tables": str(tables), "edges": [str(edge) for edge in edges]},
            "api": {"port": self.port},
            "probe": {"own_listeners": [f"127.0.0.1:{port}" for port in edge_ports]},
        }, settings)
        self.state.mkdir(exist_ok=True)
        self.configuration.write_text(toml(self.settings))

    def arguments(self):
        return ["--config", self.configuration]

    def ready(self):
        done = subprocess.run(["curl", "-fsS", "-m", "2", "-o", os.devnull, f"{self.url}/healthz"], stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0 and self.token_file.exists()


class System:
    """`edge` and `control` can be stopped, killed and started again; `smtp` is the edge's port."""

    def __init__(self, folder, edge=None, control=None):
        self.folder = pathlib.Path(folder)
        self.tables = self.folder / "tables"
        self.edge = Edge(self.folder / "edge", edge, self.tables)
        self.control = Control(self.folder / "control", self.tables, [self.edge.socket], control, [self.edge.port])
        self.smtp = self.edge.port

    def __enter__(self):
        self.edge.start()
        try:
            self.control.start()
        except BaseException:
            self.edge.kill()
            raise
        return self

    def __exit__(self, kind, *rest):
        try:
            self.control.__exit__(kind, *rest)
        finally:
            self.edge.__exit__(kind, *rest)

    def ctl_start(self, *words):
        """posternctl, running; with pipes for its output."""
        command = [BIN / "posternctl", "--url", self.control.url, "--token-file", self.control.token_file, *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def ctl(self, *words, timeout=300):
        """posternctl to its end; its standard output. A command that fails fails the test."""
        process = self.ctl_start(*words)
        out, error = process.communicate(timeout=timeout)
        assert process.returncode == 0, f"posternctl {' '.join(map(str, words))}: {process.returncode}\n{error[-4000:]}"
        return out

    def import_list(self, domain, addresses, *options):
        """Imports the addresses as a file and waits until they are in force."""
        file = self.folder / f"{domain}.csv"
        file.write_text("email\n" + "".join(f"{address}\n" for address in addresses))
        return self.ctl("import", file, "--domain", domain, "--yes", *options)

    def route(self, domain, port):
        """The domain's mail server is at this port of 127.0.0.1 from now on, probed or not."""
        self.ctl("--wait", "inbound", "set", domain, f"127.0.0.1:{port}")
        self.ctl("--wait", "inbound", "confirm", domain, "--unprobed")

    def serve(self, domain, port, addresses, mode="enforce"):
        """A served domain with its mail server, list and mode, in force at the edge."""
        self.ctl("domain", "add", domain)
        self.route(domain, port)
        self.import_list(domain, addresses)
        self.ctl("--wait", "domain", "mode", domain, mode)
