"""A real name server on loopback (dnsmasq) that knows what a test says, and nothing else.

    with Nameserver(folder) as dns:
        dns.records = ["--txt-record=_postern.example.com,postern=0123"]
        dns.restart()
"""

import pathlib
import socket
import subprocess
import time

from lib.postern import free_port


class Nameserver:
    def __init__(self, folder, records=()):
        self.folder = pathlib.Path(folder)
        self.records = list(records)
        self.port = free_port()
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        # --local=/#/: every name without a record does not exist; nobody else is asked.
        command = ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--no-poll", "--conf-file=/dev/null", "--user=",
                   "--log-facility=-", f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--local=/#/",
                   *self.records]
        self.log = open(self.folder / "dnsmasq.log", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 10
        while True:
            assert self.process.poll() is None, (self.folder / "dnsmasq.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                assert time.monotonic() < deadline, "dnsmasq does not listen"
                time.sleep(0.02)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.log.close()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *what):
        self.stop()
