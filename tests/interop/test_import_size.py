"""A large CSV: imported with a progress bar in flat memory, in force at the edge, and then one address added or removed by hand at a time."""

import json
import re
import time
import urllib.request

import pytest
from downstream import ScriptedServer
from smtp import Client
from system import System

pytestmark = pytest.mark.release

SLACK_MIB = 64


def peak_mib(process):
    """The most memory that the process ever had resident."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024


def write_list(path, rows):
    with open(path, "w", encoding="ascii") as file:
        file.write("email,first_name,last_name\n")
        for number in range(rows):
            # Spread over the alphabet, so that no index is filled in its own order.
            file.write(f"user{number * 7919 % rows:07d}@example.com,First{number},Last{number}\n")
    return path


def imported(folder, rows):
    """Peak memory of control after importing so many rows, seconds, the running system's last words."""
    with System(folder) as system:
        system.ctl("domain", "add", "example.com")
        began = time.monotonic()
        process = system.control.ctl_start("import", write_list(folder / "list.csv", rows), "--domain", "example.com", "--yes")
        _, shown = process.communicate(timeout=1800)
        seconds = time.monotonic() - began
        assert process.returncode == 0, shown[-2000:]
        assert system.edge.good("show table")["addresses"] == rows
        return peak_mib(system.control.process), seconds


def test_memory_is_flat_over_the_size_of_the_list(tmp_path, full, facts):
    small, large = (100_000, 1_000_000) if full else (10_000, 100_000)
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    peak_small, _ = imported(tmp_path / "small", small)
    peak_large, seconds = imported(tmp_path / "large", large)
    facts(f"{large:,} rows imported and in force in {seconds:.0f} s; peak {peak_large:.0f} MiB, {peak_small:.0f} MiB at {small:,}")
    assert peak_large - peak_small <= SLACK_MIB


class Api:
    """One kept connection to the API, so that what is measured is the change and not the handshake."""

    def __init__(self, system):
        self.url = system.control.url
        self.token = system.control.token_file.read_text().strip()

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()


def seconds_until(client, address, wanted):
    """How long from now until RCPT gets a reply with this beginning."""
    began = time.monotonic()
    while True:
        reply = client.say(f"RCPT TO:<{address}>")
        passed = time.monotonic() - began
        if reply.startswith(wanted):
            return passed
        assert passed < 10, (address, reply)
        time.sleep(0.001)  # asks again at once would take the processor from those who are to answer
        client.say("RSET")
        client.say("MAIL FROM:<sender@elsewhere.example>")


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_one_address_added_or_removed_is_in_force_at_once(tmp_path, full, facts):
    rows, count = (1_000_000, 1_000) if full else (20_000, 60)
    # The answer to a listed recipient is the mail server's: one that answers at once, where Postfix slows down clients that reset often.
    with ScriptedServer() as server, System(tmp_path) as system:
        system.ctl("domain", "add", "example.com")
        system.route("example.com", server.port)
        system.ctl("import", write_list(tmp_path / "list.csv", rows), "--domain", "example.com", "--yes", timeout=1800)
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        api = Api(system)
        added, removed = [], []
        with Client(system.smtp, timeout=60) as client:
            client.open()
            for number in range(count):
                address = f"added{number}@example.com"
                assert client.say(f"RCPT TO:<{address}>").startswith("550")
                api.call("POST", "/v1/mailboxes", {"address": address})
                added.append(seconds_until(client, address, "250"))
                api.call("DELETE", f"/v1/mailboxes/{address}")
                client.say("RSET")
                client.say("MAIL FROM:<sender@elsewhere.example>")
                removed.append(seconds_until(client, address, "550"))
                client.say("RSET")
                client.say("MAIL FROM:<sender@elsewhere.example>")
        facts(f"{rows:,} addresses, {count:,} adds and removals: in force after the answer within p50 {quantile(added, 0.5) * 1000:.1f} ms, "
              f"p99 {quantile(added, 0.99) * 1000:.1f} ms (added), p50 {quantile(removed, 0.5) * 1000:.1f} ms, p99 {quantile(removed, 0.99) * 1000:.1f} ms (removed)")
