"""postern-control and posternctl in whole-process tests, on top of lib.postern.

    with Control(folder) as control:
        control.ctl("domain", "add", "example.com")
        status, body, fields = control.request("GET", "/v1/domains")
"""

import http.client
import json
import os
import pathlib
import ssl
import subprocess
import urllib.parse

from lib.postern import BIN, Program, free_port, merged, toml


class Control(Program):
    """postern-control on a port of its own, with FOLDER/control.toml, FOLDER/control (state) and FOLDER/tables (or `tables`)."""

    name = "postern-control"

    def __init__(self, folder, settings=None, edges=(), tables=None, port=None, ca=None, own_listeners=("0.0.0.0:25",)):
        super().__init__(folder)
        self.port = port or free_port()
        self.state = self.folder / "control"
        self.tables = pathlib.Path(tables or self.folder / "tables")
        self.configuration = self.folder / "control.toml"
        self.ca = ca
        self.settings = merged({
            "control": {"state": str(self.state), "tables": str(self.tables), "edges": [str(each) for each in edges]},
            "api": {"address": "127.0.0.1", "port": self.port},
            "probe": {"helo": "control.example.com", "own_names": ["edge.example.com"], "own_listeners": list(own_listeners)},
            "egress": {"allowed": ["127.0.0.0/8"]},
            "log": {"level": "debug"},
        }, settings)
        self.configure()

    def configure(self, changes=None):
        """Writes control.toml anew, for the next start."""
        self.settings = merged(self.settings, changes)
        self.configuration.write_text(toml(self.settings))

    def arguments(self):
        return ["--config", self.configuration]

    def environment(self):
        # Debian's libldap on GnuTLS never frees a client certificate's key.
        return dict(os.environ, LSAN_OPTIONS=f"suppressions={pathlib.Path(__file__).parent}/ldap_fetch.supp:print_suppressions=0")

    @property
    def url(self):
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    @property
    def token_file(self):
        return self.state / "admin.token"

    @property
    def token(self):
        return self.token_file.read_text().strip()

    def ready(self):
        try:
            return self.request("GET", "/healthz", token="")[0] == 200 and self.token_file.exists()
        except (OSError, http.client.HTTPException):
            return False

    def request(self, method, path, body=None, headers=None, token=None, timeout=60):
        """Status, body (an object if it is JSON, else text) and header fields. `token` "" sends none."""
        if self.ca:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=ssl.create_default_context(cafile=self.ca))
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        fields = dict(headers or {})
        if token != "":
            fields.setdefault("Authorization", f"Bearer {token or self.token}")
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=fields)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(text) if "json" in kind and text else text, answer.headers

    def good(self, method, path, body=None, headers=None):
        """A request that must succeed; its body."""
        status, answer, _ = self.request(method, path, body, headers)
        assert 200 <= status < 300, (method, path, status, answer)
        return answer

    def add(self, address, wait=True):
        return self.good("POST", "/v1/mailboxes" + ("?wait=in_force" if wait else ""), {"address": address})

    def remove(self, address, wait=True):
        self.good("DELETE", f"/v1/mailboxes/{urllib.parse.quote(address)}" + ("?wait=in_force" if wait else ""))

    def ctl_command(self, *arguments, token_file=None):
        """posternctl's command line, for this control."""
        command = [BIN / "posternctl", "--url", self.url, "--token-file", token_file or self.token_file]
        if self.ca:
            command += ["--ca", self.ca]
        return [str(word) for word in [*command, *arguments]]

    def ctl_start(self, *arguments):
        """posternctl, running; with pipes for its output."""
        return subprocess.Popen(self.ctl_command(*arguments), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True)

    def try_ctl(self, *arguments, token_file=None, timeout=300, stdin=subprocess.DEVNULL):
        """posternctl to its end; the completed process with text output."""
        return subprocess.run(self.ctl_command(*arguments, token_file=token_file), cwd=self.folder, capture_output=True, text=True,
                              timeout=timeout, check=False, stdin=stdin)

    def ctl(self, *arguments, timeout=300):
        """posternctl, which must succeed; its output."""
        done = self.try_ctl(*arguments, timeout=timeout)
        assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr[-4000:])
        return done.stdout

    def ctl_json(self, *arguments):
        return json.loads(self.ctl("--json", *arguments))


def serve_domain(control, mail_server_port, domain="example.com", mode="enforce", addresses=("alice@example.com",)):
    """A domain with its confirmed inbound server and a list, in force when it comes back."""
    control.ctl("domain", "add", domain)
    control.ctl("inbound", "set", domain, f"127.0.0.1:{mail_server_port}")
    control.ctl("inbound", "confirm", domain, "--unprobed")
    for address in addresses:
        control.add(address)
    control.ctl("--wait", "domain", "mode", domain, mode)
