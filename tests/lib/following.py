"""A whole system whose list follows a directory, driven by posternctl: domain example.com behind a scripted mail server that takes everything,
notices by webhook and e-mail.

    with Following(folder) as system:
        system.add_source("head", slapd.settings(), slapd.password)
        run = system.sync("head")
        assert system.taken("ada@example.com")
"""

import json

from lib.downstream import ScriptedServer, wait_until
from lib.notices import Hook
from lib.smtp import rcpt_reply
from lib.system import System

NAMES = {"servers": "server", "ca_certificates": "ca-file", "alias_attributes": "alias-attribute", "connect_timeout_s": "connect-timeout",
         "answer_timeout_s": "answer-timeout", "fetch_timeout_s": "fetch-timeout", "whole_every_hours": "whole-every"}
SIGNED = "a secret of tests"


class Following(System):
    def __init__(self, folder, control=None):
        self.mail_server = ScriptedServer()
        self.notices_server = ScriptedServer()
        self.hook = Hook(SIGNED)
        mail = {"mail": {"host": "127.0.0.1", "port": self.notices_server.port, "from": "postern@example.com", "helo": "control.example.com"}}
        super().__init__(folder, control={**mail, **(control or {})})

    def __enter__(self):
        self.mail_server.__enter__()
        self.notices_server.__enter__()
        self.hook.__enter__()
        super().__enter__()
        self.ctl("domain", "add", "example.com")
        self.route("example.com", self.mail_server.port)
        return self

    def __exit__(self, kind, *rest):
        try:
            super().__exit__(kind, *rest)
        finally:
            self.hook.__exit__()
            self.notices_server.__exit__()
            self.mail_server.__exit__()

    def file(self, name, content):
        made = self.folder / name
        made.write_text(content)
        return made

    def options(self, settings, **secrets):
        """The API's settings as posternctl's options; secrets and certificates go through files."""
        words = []
        for member, value in settings.items():
            option = "--" + NAMES.get(member, member.replace("_", "-"))
            if member in ("ca_certificates", "client_certificate"):
                value = self.file(f"{member}.pem", value)
            for each in value if isinstance(value, list) else [value]:
                words += [option, str(each).lower() if isinstance(each, bool) else each]
        for secret, value in secrets.items():
            words += [{"client_key": "--client-key"}.get(secret, f"--{secret.replace('_', '-')}-file"), self.file(secret, value)]
        return words

    def add_source(self, name, settings, *words, **secrets):
        """Not by schedule, so that a test says when; told of everything."""
        self.ctl("source", "add", name, *self.options(settings, **secrets), "--enabled", "false", "--webhook", self.hook.url,
                 "--webhook-secret-file", self.file("hook", SIGNED + "\n"), "--email", "ops@example.com", "--email", "boss@example.com",
                 "--tell-additions", "true", "--tell-changes", "true", *words)

    def sync(self, name, command="now"):
        """The sync as the API shows it once it is over or held, whatever came of it."""
        done = self.control.try_ctl("--json", "sync", command, name)
        assert done.returncode in (0, 1), (done.stdout, done.stderr)
        assert done.stdout, done.stderr
        run = json.loads(done.stdout)
        assert (done.returncode == 0) == (run["state"] in ("succeeded", "previewed")), run
        return run

    def good_sync(self, name):
        run = self.sync(name)
        assert run["state"] == "succeeded" and run["in_force"], run
        return run

    def diff(self, run):
        """{(what, address or DN)} of a sync, as posternctl itemises it."""
        return {(item["what"], item["address"] or item["object"]) for item in self.control.ctl_json("sync", "diff", run["id"])}

    def source(self, name):
        return self.control.ctl_json("source", "show", name)

    def reply(self, address):
        """What the edge answers to RCPT."""
        return rcpt_reply(self.smtp, address)

    def taken(self, address):
        return self.reply(address).startswith("250")

    def refused(self, address):
        return self.reply(address).startswith("550 5.1.1")

    def metric(self, name, **labels):
        """A sample of /metrics."""
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "") + " "
        text = self.control.request("GET", "/metrics")[1]
        found = [line for line in text.splitlines() if line.startswith(wanted)]
        assert len(found) == 1, (wanted, found)
        return int(found[0].removeprefix(wanted))

    def mails(self):
        return [message.decode() for message in self.notices_server.messages]

    def wait_for_mail(self, event, after=0):
        def found():
            return next((mail for mail in self.mails()[after:] if f": {event}\r\n" in mail), None)
        return wait_until(found, 15, f"an e-mail about {event}")
