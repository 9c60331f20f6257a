"""A wire that the machine has: two ends of a veth pair in network namespaces of the benchmark's own."""

import os
import subprocess

from .running import Failure


class Veth:
    """`server` and `client` are prefixes for commands at either end. Addresses: the packet path's, the kernel's at the server's end, and
    the client's. Gone with the `with`."""

    path_address = "198.18.7.1"
    kernel_address = "198.18.7.2"
    client_address = "198.18.7.9"
    device = "smtp0"

    def __init__(self):
        name = f"postern-bench-{os.getpid()}"
        self._spaces = (f"{name}-s", f"{name}-c")
        self.server, self.client = (["ip", "netns", "exec", space] for space in self._spaces)

    def __enter__(self):
        server, client = self._spaces
        try:
            for space in self._spaces:
                self._ip("netns", "add", space)
            self._ip("link", "add", self.device, "netns", server, "type", "veth", "peer", "name", "client0", "netns", client)
            for space, device, address in ((server, self.device, self.kernel_address), (client, "client0", self.client_address)):
                self._ip("-n", space, "address", "add", f"{address}/24", "dev", device)
                self._ip("-n", space, "link", "set", device, "up")
                self._ip("-n", space, "link", "set", "lo", "up")
            # Between the ends of a veth the kernel leaves checksums out and joins segments, which no wire does.
            self._run("ip", "netns", "exec", client, "ethtool", "-K", "client0", "tx", "off", "tso", "off", "gso", "off")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    def _remove(self):
        for space in self._spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    @classmethod
    def _ip(cls, *words):
        cls._run("ip", *words)

    @staticmethod
    def _run(*words):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{' '.join(words)}: {done.stderr.strip()}; the benchmark needs root for its network namespaces")
