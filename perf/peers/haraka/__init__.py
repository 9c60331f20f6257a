"""Haraka 3.1.1 from npm, on Debian's Node: one process, because it has one core; one plugin, a Set in memory (plugins/rcpt_to.in_set.js).

`nodes = 0` leaves out the cluster's master, which would pass each connection on. No plugin is loaded but ours: each costs every command
something. The log is switched off but for errors.
"""

import os
import pathlib
import shutil
import subprocess

from benches.running import Failure

from ..peer import Namespace, Peer

HERE = pathlib.Path(__file__).resolve().parent

_FILES = {
    "smtp.ini": "listen=127.0.0.1:{port}\nnodes=0\ninactivity_timeout=3600\n",
    "plugins": "rcpt_to.in_set\n",
    "me": "peer.invalid\n",
    "host_list": "example.com\n",
    "log.ini": "[main]\nlevel=ERROR\ntimestamps=false\n",
    "loglevel": "ERROR\n",
}


def installed(folder):
    return (folder / "done").exists()


def install(folder):
    """npm, by the lock file beside this: the same packages each time, without their install scripts and options."""
    if installed(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    done = subprocess.run(["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Failure("npm cannot install Haraka: " + done.stderr.strip()[-500:])
    (folder / "done").touch()


class Haraka(Peer):
    name = "haraka"

    def prepare(self):
        install(self.kept / "npm")
        self._program = self.kept / "npm" / "node_modules" / "Haraka" / "bin" / "haraka"
        for part in ("config", "lists", "queue", "plugins"):
            (self.folder / part).mkdir()
        for name, text in _FILES.items():
            (self.folder / "config" / name).write_text(text.format(port=self.port), encoding="ascii")
        # Haraka reads this one from its own folder no longer when it is told of another; its limits are not reached by any RCPT.
        shutil.copy(self._program.parents[1] / "config" / "connection.ini", self.folder / "config")
        shutil.copy(HERE / "plugins" / "rcpt_to.in_set.js", self.folder / "plugins")

    def start_command(self):
        return Namespace(self.folder).command("env", f"PEER_LISTS={self.folder}/lists", "NODE_ENV=production", "node", "--max-old-space-size=4096",
                                              self._program, "-c", self.folder)

    def _put(self, name):
        os.replace(self.folder / "lists" / f"{name}.new", self.folder / "lists" / name)

    def write(self, addresses):
        (self.folder / "lists" / "list.new").write_text("\n".join(addresses), encoding="ascii")

    def load(self):
        self._put("list")

    def add(self, address):
        (self.folder / "lists" / "added.new").write_text(address, encoding="ascii")
        self._put("added")
