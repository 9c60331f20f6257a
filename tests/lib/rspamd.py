"""Debian's rspamd on a port of its own, with a small configuration and its state in a folder that the test gives: no rules but GTUBE's, no DNS.

    with Rspamd(folder) as rspamd:
        edge = Edge(folder, {"judge": {"rspamd": rspamd.url}})
"""

import pathlib
import subprocess
import urllib.error
import urllib.request

from downstream import wait_until
from postern import free_port

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

# Names resolve at a dead port. The list of top-level domains is short: from Debian's rspamd compiles patterns for 16 s.
CONFIGURATION = """
options {{ filters = ""; dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }} url_tld = "{folder}/tld.dat"; }}
logging {{ type = "console"; level = "info"; }}
metric {{ name = "default"; actions {{ reject = 15; add_header = 6; greylist = 4; }} }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
"""


class Rspamd:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/checkv2"
        self._process = None

    def _pings(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def start(self):
        folders = {name: self.folder / name.lower() for name in ("DBDIR", "RUNDIR", "LOGDIR", "CONFDIR", "LOCAL_CONFDIR")}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tld.dat").write_text("com\norg\nexample\n")
        configuration = self.folder / "rspamd.conf"
        configuration.write_text(CONFIGURATION.format(folder=self.folder, port=self.port))
        variables = [word for name, folder in folders.items() for word in ("--var", f"{name}={folder}")]
        self._log = open(self.folder / "rspamd.out", "ab")  # noqa: SIM115: closed by stop
        self._process = subprocess.Popen(["rspamd", "-f", "-i", "-c", configuration, *variables], stdin=subprocess.DEVNULL, stdout=self._log,
                                         stderr=subprocess.STDOUT)
        wait_until(lambda: self._pings() or self._process.poll() is not None, 60, "rspamd answers")
        assert self._process.poll() is None, (self.folder / "rspamd.out").read_text()[-4000:]
        return self

    def stop(self):
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
