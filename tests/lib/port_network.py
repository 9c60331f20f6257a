"""A network port that Postern has for itself, and this machine's kernel as its only neighbour, in a namespace of the test's own.

    with PortNetwork.of("net_af_packet") as network, System(folder, network=network) as system:
        Client(system.smtp)                    # connects from the namespace
        network.run("ping", "-c", "1", network.ours)

Postern is 192.0.2.1 and 2001:db8::1, the kernel 192.0.2.9 and 2001:db8::9. Drivers: net_tap (lib/tap.py); net_af_packet and
net_af_xdp on a veth pair whose other end is the kernel's; net_memif, with a relay between it and a TAP device (lib/relay.py).
"""

import itertools
import os
import socket
import subprocess

from lib.namespace import Namespace, run_outside
from lib.smtp import Place


class PortNetwork(Namespace):
    """`settings` are the sections of edge.toml; `attach` is called each time that the edge has opened the device."""

    environment = {}  # of the edge, beyond the test's own
    ours, ours6 = "192.0.2.1", "2001:db8::1"
    theirs, theirs6 = "192.0.2.9", "2001:db8::9"
    _numbers = itertools.count()

    def __init__(self, name, device, port=25, mtu=1500):
        super().__init__(name)
        self.mtu = mtu
        self.place = Place(port, self.ours, self, self.theirs)
        addresses = [f"{self.ours}/24"] + ([f"{self.ours6}/64"] if mtu >= 1280 else [])
        self.settings = {
            "edge": {"transport": "dpdk", "shards": 1},
            "port": {"device": device, "mac": "02:00:00:00:00:01", "memory_mib": 128, "mtu": mtu, "addresses": addresses,
                     "find_duplicates": False},
            "listener": [{"address": "0.0.0.0", "port": port}, {"address": "::", "port": port}],
        }

    @staticmethod
    def of(driver, name="", **options):
        """The network of a driver of DPDK's."""
        from lib.tap import TapNetwork  # noqa: PLC0415: it is one of these itself

        name = f"{name or driver.removeprefix('net_').replace('_', '-')}-{next(PortNetwork._numbers)}"
        from lib.relay import RelayedNetwork  # noqa: PLC0415

        if driver == "net_tap":
            return TapNetwork(name, **options)
        return RelayedNetwork(name, **options) if driver == "net_memif" else VethNetwork(driver, name, **options)

    @classmethod
    def unique(cls):
        """A part of an interface's name that nobody else has."""
        return f"{os.getpid() % 1_000_000}x{next(cls._numbers)}"

    def attach(self):
        pass

    def use(self, interface):
        """The namespace's end has its addresses and is up."""
        self.interface, self._bridge = interface, ""
        self._address(interface)

    def _address(self, interface):
        self.run("ip", "addr", "add", f"{self.theirs}/24", "dev", interface)
        if self.mtu >= 1280:
            self.run("ip", "-6", "addr", "add", f"{self.theirs6}/64", "dev", interface, "nodad")
        self.run("ip", "link", "set", interface, "mtu", self.mtu, "up")

    def connect(self, port=25, timeout=30, server=None):
        """A socket of the namespace, connected to Postern."""
        with self.inside():
            return socket.create_connection((server or self.ours, port), timeout=timeout)

    def lose(self, percent):
        """From now on so many frames of a hundred are lost in each direction; 0: none."""
        subprocess.run(self.command("nft", "delete", "table", "netdev", "loss"), stderr=subprocess.DEVNULL, check=False)
        if percent:
            chains = " ".join(f'chain {device} {{ type filter hook ingress device "{device}" priority 0; numgen random mod 100 < {percent} '
                              "counter drop; };" for device in (self.interface, self._behind_a_bridge()))
            self.run("nft", f"table netdev loss {{ {chains} }}")

    def _behind_a_bridge(self):
        """The clients move behind a bridge: what is dropped in it is lost silently, while the kernel's TCP is told of what is dropped on
        its own way out, and counts it as not sent. The bridge's port to the clients."""
        if not self._bridge:
            client, self._bridge, bridge = (f"{kind}{self.unique()}" for kind in ("pc", "pd", "pe"))
            self.run("ip", "link", "add", client, "type", "veth", "peer", "name", self._bridge)
            self.run("ip", "link", "add", bridge, "type", "bridge")
            self.run("ip", "addr", "flush", "dev", self.interface)
            for port in (self.interface, self._bridge):
                self.run("ip", "link", "set", port, "mtu", self.mtu, "master", bridge, "up")
            self.run("ip", "link", "set", bridge, "mtu", self.mtu, "up")
            # TCP hands down segments of the path's size: each is lost by itself.
            self.run("ip", "link", "set", client, "gso_max_segs", "1")
            self._address(client)
        return self._bridge


class VethNetwork(PortNetwork):
    """Postern's end of a veth pair stays with the edge. The kernel has no address there, and Postern's Ethernet address is not that of
    the kernel's device: so the kernel drops what is for Postern instead of resetting it."""

    def __init__(self, driver, name, **options):
        unique = self.unique()
        self.shared, self._far = f"pa{unique}", f"pb{unique}"
        super().__init__(name, f"{driver}0,iface={self.shared}", **options)
        if driver == "net_af_xdp":
            # At its end the process may not take its program off the interface any more, and then libxdp forgets a few octets.
            self.environment = {"LSAN_OPTIONS": f"suppressions={os.path.dirname(__file__)}/net_af_xdp.supp:print_suppressions=0"}

    def __enter__(self):
        super().__enter__()
        try:
            near, far = self.shared, self._far
            run_outside("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.namespace)
            run_outside("sysctl", "-qw", f"net.ipv6.conf.{near}.disable_ipv6=1")
            run_outside("ip", "link", "set", near, "mtu", self.mtu, "up")
            # A veth pair hands over segments whose checksum is still to be filled in, and larger than the MTU.
            self.run("ethtool", "-K", far, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            self.use(far)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        super().__exit__()
        # The pair goes with the namespace's end, but only when the kernel gets to it.
        subprocess.run(["ip", "link", "del", self.shared], stderr=subprocess.DEVNULL, check=False)
