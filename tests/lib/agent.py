"""postern-agent in whole-process tests: one that reads a slapd and pushes to a control.

    agent = Agent(folder, slapd, control, token)
    done = agent.once()
    assert done.returncode == 0
"""

import os
import subprocess

from lib.postern import BIN, Program, merged, toml


class Agent(Program):
    name = "postern-agent"

    def __init__(self, folder, slapd, url, ca, token, source="push:agent", settings=None):
        super().__init__(folder)
        self.state = self.folder / "state"
        self.configuration = self.folder / "agent.toml"
        self.secret("token", token)
        self.secret("password", slapd.password)
        known = {"ca_certificates": None, **{name: value for name, value in slapd.settings().items() if name != "ca_certificates"}}
        del known["ca_certificates"]
        self.settings = merged({
            "agent": {"state": str(self.state), "every_minutes": 60},
            "postern": {"url": url, "source": source, "token_file": "token", "ca_file": str(ca), "connect_timeout_s": 5, "answer_timeout_s": 20},
            "directory": {**known, "ca_file": str(slapd.authority.file), "password_file": "password"},
            "log": {"level": "debug"},
        }, settings)
        self.configure()

    def secret(self, name, text):
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text + "\n")
        return file

    def configure(self, changes=None):
        self.settings = merged(self.settings, changes)
        self.configuration.write_text(toml(self.settings))

    def arguments(self):
        return ["--config", self.configuration]

    def ready(self):
        return bool(self.log())

    def once(self, *options, environment=None, timeout=60, **changes):
        """One round to its end; `changes` are of the section [postern], for this round."""
        if changes:
            kept = self.settings
            self.configure({"postern": changes})
            self.settings = kept
        try:
            return subprocess.run(self.command(*options), cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False,
                                  stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
        finally:
            self.configure()

    def command(self, *options):
        return [str(word) for word in [BIN / self.name, *self.arguments(), *(options or ("--once",))]]
