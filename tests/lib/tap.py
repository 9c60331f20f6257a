"""A network namespace where this machine's kernel is the client of a port that Postern has for itself over net_tap."""

import ctypes
import os
import socket
import subprocess


def possible():
    """Why there can't be one here, or nothing."""
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs root and /dev/net/tun, for a network namespace and a TAP device"
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return "no network namespace can be made here"
    return ""


class TapNetwork:
    """The TAP end of `device` in a namespace of its own, with 192.0.2.9 and 2001:db8::9; Postern's end is 192.0.2.1 and 2001:db8::1.

    `settings` are the sections of edge.toml; `attach` is called when the edge has made the device.
    """

    ours, ours6 = "192.0.2.1", "2001:db8::1"

    def __init__(self, name, port=25, mtu=1500):
        self.namespace = f"postern-{name}-{os.getpid()}"
        self.device = f"pt{os.getpid() % 1_000_000}"
        self.mtu = mtu
        self.settings = {
            "edge": {"transport": "dpdk", "shards": 1},
            "port": {"device": f"net_tap0,iface={self.device}", "mac": "02:00:00:00:00:01", "memory_mib": 128, "mtu": mtu,
                     "addresses": [f"{self.ours}/24", f"{self.ours6}/64"], "find_duplicates": False},
            "listener": [{"address": "0.0.0.0", "port": port}, {"address": "::", "port": port}],
        }

    def __enter__(self):
        self.run_outside("ip", "netns", "add", self.namespace)
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)

    @staticmethod
    def run_outside(*words):
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)

    def attach(self):
        self.run_outside("ip", "link", "set", self.device, "netns", self.namespace)
        for words in (("ip", "link", "set", "lo", "up"), ("ip", "addr", "add", "192.0.2.9/24", "dev", self.device),
                      ("ip", "-6", "addr", "add", "2001:db8::9/64", "dev", self.device, "nodad"),
                      ("ip", "link", "set", self.device, "mtu", str(self.mtu), "up")):
            self.run(*words)

    def connect(self, port=25, timeout=30):
        """A socket of the namespace, connected to Postern. The calling thread is there only as long as it takes."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.namespace}", "rb") as there:
            if libc.setns(there.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "cannot enter the namespace")
            try:
                return socket.create_connection((self.ours, port), timeout=timeout)
            finally:
                libc.setns(home.fileno(), 0)

    def command(self, *words):
        return ["ip", "netns", "exec", self.namespace, *[str(word) for word in words]]

    def run(self, *words, timeout=60):
        """A command in the namespace, to its end."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout
