"""A network namespace of the test's own, with the clients of the edge in it."""

import contextlib
import ctypes
import os
import subprocess


def possible():
    """Why there can't be one here, with a TAP device, or nothing."""
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs root and /dev/net/tun, for a network namespace and a TAP device"
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return "no network namespace can be made here"
    return ""


def run_outside(*words):
    """A command in the test's own namespace, to its end."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


class Namespace:
    """`name` is unique to the run."""

    def __init__(self, name):
        self.namespace = f"postern-{name}-{os.getpid()}"

    def __enter__(self):
        run_outside("ip", "netns", "add", self.namespace)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is there: sockets and processes that it makes meanwhile stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.namespace}", "rb") as there:
            if libc.setns(there.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "cannot enter the namespace")
            try:
                yield
            finally:
                libc.setns(home.fileno(), 0)

    def command(self, *words):
        return ["ip", "netns", "exec", self.namespace, *[str(word) for word in words]]

    def run(self, *words, timeout=60):
        """A command in the namespace, to its end."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout
