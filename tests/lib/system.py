"""A whole system in whole-process tests: an edge, control, and posternctl between a test and them.

    with System(folder) as system:
        system.serve("example.com", mail_server_port, ["alice@example.com"])
        reply = rcpt_reply(system.smtp, "alice@example.com")
"""

import pathlib

from lib.control import Control
from lib.postern import Edge


class System:
    """`edge` and `control` can be stopped, killed and started again; `smtp` is the edge's port, of the kernel's or, with a `network`,
    of its own (lib/port_network.py)."""

    def __init__(self, folder, edge=None, control=None, network=None):
        self.folder = pathlib.Path(folder)
        self.tables = self.folder / "tables"
        self.edge = Edge(self.folder / "edge", edge, self.tables, network=network)
        self.control = Control(self.folder / "control", control, [self.edge.socket], self.tables, own_listeners=[f"{self.edge.port.address}:{self.edge.port}"])
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

    def ctl(self, *words, timeout=300):
        """posternctl to its end; its standard output. A command that fails fails the test."""
        return self.control.ctl(*words, timeout=timeout)

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
