"""`./dev up` as its user meets it: ready, a listed recipient delivered, a stranger refused, a clean end, and the same lists at the next start."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
from downstream import wait_until
from lib import tap
from postern import free_port
from smtp import Client, rcpt_reply

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.release


class Up:
    """One run of the start script on its own ports."""

    def __init__(self, state, binaries, *options):
        self.state = state
        self.options = options
        self.smtp, self.http, self.downstream = free_port(), free_port(), free_port()
        self.binaries = binaries
        self.output = state.parent / "up.out"

    def start(self):
        environment = dict(os.environ, POSTERN_BIN=str(self.binaries), POSTERN_STATE=str(self.state))
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                ["bash", ROOT / "image/up/up.sh", "--smtp", f"127.0.0.1:{self.smtp}", "--http", f"127.0.0.1:{self.http}", "--downstream",
                 f"127.0.0.1:{self.downstream}", *self.options], stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
                # As from a terminal, also where these tests run in the background of a shell that ignores it for them.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        wait_until(lambda: "ready" in self.lines() or self.process.poll() is not None, 90, "ready")
        assert self.process.poll() is None, self.output.read_text()
        return self

    def lines(self):
        return self.output.read_text().splitlines()

    def stop(self, how):
        children = {file.stem: int(file.read_text()) for file in (self.state / "run").glob("*.pid")}
        assert set(children) == {"edge", "control", "downstream"}
        self.process.send_signal(how)
        status = self.process.wait(60)
        left = [name for name, process in children.items() if pathlib.Path(f"/proc/{process}").exists()]
        return status, left


@contextlib.contextmanager
def running(state, binaries, how=signal.SIGTERM):
    up = Up(state, binaries).start()
    try:
        yield up
    except BaseException:
        up.process.terminate()
        up.process.wait(60)
        raise
    status, left = up.stop(how)
    assert status == 0, up.output.read_text()[-2000:]
    assert not left
    for port in (up.smtp, up.http, up.downstream):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_up_starts_a_working_system_and_ends_clean(tmp_path, binaries):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "mine.txt").write_text("not Postern's")
    with running(state, binaries) as up:
        assert rcpt_reply(up.smtp, "nobody@example.com") == "550 5.1.1 Invalid recipient"
        with Client(up.smtp) as client:
            client.say("EHLO client.example")
            assert client.deliver(["alice@example.com"], b"Subject: one\r\n\r\nbody\r\n").startswith("250")
            assert client.deliver(["alice@example.com", "nobody@example.com", "BOB@Example.COM"], b"Subject: two\r\n\r\nbody\r\n").startswith("250")
        wait_until(lambda: len(list((state / "delivered").iterdir())) == 2, 20, "two files")
        assert all(file.is_file() for file in (state / "delivered").iterdir())
        extra = tmp_path / "more.csv"
        extra.write_text("email\nerin@example.com\n")
        subprocess.run([binaries / "posternctl", "--url", f"http://127.0.0.1:{up.http}", "--token-file", state / "control/admin.token", "import", extra,
                        "--domain", "example.com", "--yes"], check=True, capture_output=True)
        assert rcpt_reply(up.smtp, "erin@example.com").startswith("250")
    assert (state / "mine.txt").read_text() == "not Postern's"
    with running(state, binaries, signal.SIGINT) as again:
        assert rcpt_reply(again.smtp, "erin@example.com").startswith("250")
        assert rcpt_reply(again.smtp, "nobody@example.com").startswith("550")


def test_a_port_in_use_is_named_with_its_remedy(tmp_path, binaries):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(["bash", ROOT / "image/up/up.sh", "--state", tmp_path / "s", "--smtp", f"127.0.0.1:{port}"], capture_output=True, text=True,
                              env=dict(os.environ, POSTERN_BIN=str(binaries)), timeout=60, check=False)
    assert done.returncode != 0
    assert f"127.0.0.1:{port} is in use" in done.stderr
    assert "--smtp" in done.stderr


def test_children_of_a_killed_start_are_ended_by_the_next(tmp_path, binaries):
    state = tmp_path / "state"
    up = Up(state, binaries).start()
    children = [int(file.read_text()) for file in (state / "run").glob("*.pid")]
    up.process.kill()
    up.process.wait()
    with running(state, binaries) as again:
        assert rcpt_reply(again.smtp, "alice@example.com").startswith("250")
        time.sleep(0.1)
        assert not [process for process in children if pathlib.Path(f"/proc/{process}/exe").exists()]


def printed(up, what):
    """The command that the start prints for a purpose, as it stands."""
    return next(line.split(":", 1)[1].strip() for line in up.lines() if line.strip().startswith(f"{what}:"))


def delivered(up):
    return len(list((up.state / "delivered").iterdir()))


def run_printed(up, what, ok=True):
    done = subprocess.run(["bash", "-c", printed(up, what)], capture_output=True, text=True, timeout=60, cwd=up.state.parent, check=False)
    assert (done.returncode == 0) == ok, (printed(up, what), done.stdout, done.stderr)
    return done.stdout


def namespaces():
    return [line.split()[0] for line in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.splitlines()]


def on_huge_pages(up):
    """Whether the edge that runs now has its buffers on huge pages, as it logged it."""
    opened = [json.loads(line) for line in (up.state / "log/edge.log").read_text().splitlines() if '"port_open"' in line]
    return opened[-1]["huge_pages"]


@contextlib.contextmanager
def huge_pages(free_mib):
    """The machine with exactly so many MiB of free huge pages of 2 MiB, as far as it can, and then as it was."""
    pages = pathlib.Path("/proc/sys/vm/nr_hugepages")
    free = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    before = pages.read_text()
    try:
        pages.write_text(str(int(before) - int(free.read_text()) + free_mib // 2))
        yield
    finally:
        pages.write_text(before)


@pytest.mark.skipif(bool(tap.possible()), reason=tap.possible() or "-")
def test_up_over_a_port_of_its_own(tmp_path, binaries):
    """Without huge pages: what doctor found, the printed commands over IPv4 and IPv6; killed; again with huge pages; a clean end."""
    name = f"pup{os.getpid()}"[:15]
    up = Up(tmp_path / "state", binaries, "--dpdk", "--namespace", name)
    with huge_pages(0):
        up.start()
        said = up.output.read_text()
        assert f"postern-board doctor, by {up.state}/edge.toml, port net_tap0,iface={name}:" in said
        assert "free huge pages of 2 MiB" in said and "mend:     echo " in said
        assert not on_huge_pages(up)
        run_printed(up, "a valid recipient")
        wait_until(lambda: delivered(up) == 1, 20, "a file")
        assert "550 5.1.1 Invalid recipient" in run_printed(up, "a stranger")
        run_printed(up, "the same over IPv6")
        wait_until(lambda: delivered(up) == 2, 20, "another file")
        run_printed(up, "an import")
        beside = subprocess.run(["bash", ROOT / "image/up/up.sh", "--dpdk", "--namespace", name, "--state", tmp_path / "other"], capture_output=True,
                                text=True, env=dict(os.environ, POSTERN_BIN=str(binaries)), timeout=60, check=False)
        assert beside.returncode != 0 and f"has the network namespace {name}" in beside.stderr
        up.process.kill()
        up.process.wait()
    assert name in namespaces(), "nobody has tidied up after the one that was killed"
    with huge_pages(160):
        up.start()
        try:
            assert "left over from a start that was killed" in up.output.read_text()
            assert on_huge_pages(up)
            run_printed(up, "a valid recipient")
            wait_until(lambda: delivered(up) == 3, 20, "a third file")
        finally:
            status, left = up.stop(signal.SIGINT)
    assert status == 0 and not left
    assert name not in namespaces()
