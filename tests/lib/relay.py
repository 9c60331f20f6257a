"""A relay of the project's own (tests/wire) between Postern's port and a TAP device of the clients' kernel: a cable that can be told
to lose, double, hold, reorder and break frames.

    with RelayedNetwork(near="net_tap") as network, Edge(folder, network=network) as edge:
        network.tell("drop 2 near syn-ack")
        network.tell("path lost=100 delay_ms=1")

Near is Postern's side. `near` is the driver of Postern's port: net_memif, or net_tap, at whose kernel's end the relay takes the frames.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile

from lib.namespace import run_outside
from lib.port_network import PortNetwork


class RelayedNetwork(PortNetwork):
    def __init__(self, name="relayed", near="net_memif", **options):
        unique = self.unique()
        self.far = f"pr{unique}"
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-relay-"))
        self._process = None
        if near == "net_memif":
            self._near_tap = None
            # In the kernel's abstract space (the driver's default): no file is left behind by a killed process.
            socket = f"socket=postern-{unique}"
            device, self._near = f"net_memif0,role=server,{socket}", f"net_memif0,role=client,{socket}"
        else:
            self._near_tap = f"pn{unique}"
            device, self._near = f"net_tap0,iface={self._near_tap}", f"net_af_packet0,iface={self._near_tap}"
        super().__init__(name, device, **options)

    def attach(self):
        self._end()
        if self._near_tap:
            run_outside("sysctl", "-qw", f"net.ipv6.conf.{self._near_tap}.disable_ipv6=1")
            run_outside("ip", "link", "set", self._near_tap, "up")
        from lib.postern import BIN  # noqa: PLC0415: which knows of networks itself

        self._log = open(self._folder / "relay.log", "ab")  # noqa: SIM115: closed by _end
        self._process = subprocess.Popen([BIN / "tests" / "wire_relay", self._near, f"net_tap0,iface={self.far}", str(self.mtu)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True)
        said = self._process.stdout.readline()
        assert said == "ready\n", (said, (self._folder / "relay.log").read_text())
        run_outside("ip", "link", "set", self.far, "netns", self.namespace)
        self.use(self.far)

    def tell(self, line):
        """One command of the relay (tests/wire/relay_command.h); its answer."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["ok"], (line, answer)
        return answer

    def _end(self):
        if self._process is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
        self._process = None

    def __exit__(self, *_):
        self._end()
        super().__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)
