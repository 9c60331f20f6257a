"""The program ldap_fetch (or microsoft365_fetch) between a test and a directory: settings in, entries and the outcome out.

    got = fetch(settings, password="secret")
    got = fetch(settings, program="microsoft365_fetch", client_secret="secret")
    got.outcome["end"], got.entries["ada@example.com"]["aliases"], got.gone
"""

import json
import os
import signal
import subprocess

from postern import BIN

# Debian's libldap on GnuTLS never frees a client certificate's key.
ENVIRONMENT = dict(os.environ, LSAN_OPTIONS=f"suppressions={os.path.dirname(__file__)}/ldap_fetch.supp:print_suppressions=0")


class Fetched:
    """What a fetch yielded: `entries` by primary address, `gone` identities, `restarts`, `outcome`, `steps` of a test."""

    def __init__(self, lines):
        self.entries = {}
        self.gone = []
        self.restarts = 0
        self.batches = []
        self.steps = []
        self.outcome = None
        self.good = None
        self.error = None
        for line in lines:
            self.take(json.loads(line))

    def take(self, one):
        if "entry" in one:
            self.entries[one["entry"]["address"]] = one["entry"]
        elif "gone" in one:
            self.gone.append(one["gone"])
        elif "restart" in one:
            self.restarts += 1
            self.entries, self.gone = {}, []
        elif "batch" in one:
            self.batches.append(one["batch"])
        elif "step" in one:
            self.steps.append(one["step"])
        elif "outcome" in one:
            self.outcome = one["outcome"]
        elif "good" in one:
            self.good = one["good"]
        elif "error" in one:
            self.error = one["error"]


class Running:
    """The program in the background; `wait_for` reads its lines until one is as asked."""

    def __init__(self, command, settings, prefix=(), program="ldap_fetch", **document):
        self.process = subprocess.Popen([*prefix, BIN / program, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.process.stdin.write(json.dumps({"settings": settings, **document}))
        self.process.stdin.close()
        self.process.stdin = None
        self.got = Fetched([])

    def wait_for(self, condition):
        for line in self.process.stdout:
            one = json.loads(line)
            self.got.take(one)
            if condition(one):
                return self.got
        raise AssertionError(f"it ended without that: {self.process.stderr.read()[-4000:]}")

    def go_on(self):
        self.process.send_signal(signal.SIGUSR1)

    def finish(self, timeout=60):
        out, error = self.process.communicate(timeout=timeout)
        for line in out.splitlines():
            self.got.take(json.loads(line))
        assert self.process.returncode in (0, 2), error[-4000:]
        return self.got


def run(command, settings, prefix=(), timeout=600, program="ldap_fetch", **document):
    done = subprocess.run([*prefix, BIN / program, command], input=json.dumps({"settings": settings, **document}), capture_output=True,
                          text=True, timeout=timeout, check=False, env=ENVIRONMENT)
    assert done.returncode in (0, 2), done.stderr[-4000:]
    return Fetched(done.stdout.splitlines())


def fetch(settings, **options):
    return run("fetch", settings, **options)
