"""What an idle connection holds, how long one added address takes until it is in force, and the same for the whole list under load."""

import contextlib
import socket
import time

from benches.running import Failure, Load, cores, faults

from .peer import tree_memory_kib
from .rates import complain

CHANGES, IDLE_STEPS = 5, 5


def greeted(target):
    """A connection that has said EHLO and waits."""
    host, port = target.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=60)
    with connection.makefile("rb") as lines:
        for command in (b"", b"EHLO idle.invalid\r\n"):
            connection.sendall(command)
            while (line := lines.readline())[3:4] == b"-":
                pass
            if not line.startswith(b"2"):
                connection.close()
                raise Failure(f"an idle connection was answered {line!r}")
    return connection


def measure_idle(record, server, step):
    """KiB for each more idle connection, in steps, so that what is made at the beginning for all shows in one of them alone. All steps
    together count as one figure more, because a server that takes memory in large pieces grows in some steps and not in others."""
    growth = []
    with contextlib.ExitStack() as stack:
        first = before = tree_memory_kib(server.pid)
        for _ in range(IDLE_STEPS):
            for _ in range(step):
                stack.enter_context(contextlib.closing(greeted(server.target)))
            now = tree_memory_kib(server.pid)
            growth.append((now - before) / step)
            before = now
    record.figure(f"{server.name}_idle_kib", "KiB/connection", growth)
    record.content["conditions"]["idle_kib_in_all"][server.name] = (before - first) / (step * IDLE_STEPS)


def accepted(target, address):
    """Whether a new session may name the recipient."""
    with contextlib.closing(greeted(target)) as connection, connection.makefile("rb") as lines:
        for command in ("MAIL FROM:<>", f"RCPT TO:<{address}>"):
            connection.sendall(command.encode() + b"\r\n")
            line = lines.readline()
        return line.startswith(b"250")


def wait_accepted(server, address, since, patience=300):
    """Seconds from `since` until a new session may name the recipient."""
    while not accepted(server.target, address):
        if time.monotonic() - since > patience:
            raise Failure(f"{server.name}: {address} was not in force within {patience} s")
        time.sleep(0.001)
    return time.monotonic() - since


def measure_added(record, servers):
    """One address more than the whole list, with nothing else to do."""
    for server in servers:
        taken = []
        for turn in range(CHANGES):
            address = f"added.{turn}@example.com"
            since = time.monotonic()
            server.add(address)
            taken.append(wait_accepted(server, address, since) * 1000)
        record.figure(f"{server.name}_added_ms", "ms", taken)


def measure_reload(record, binaries, servers, addresses, folder):
    """The whole list and one more address, under as much load as the server takes; a tenth of the recipients is on both lists."""
    listed = folder / "listed"
    listed.write_text("\n".join(addresses[:: max(1, len(addresses) // 10_000)]) + "\n", encoding="ascii")
    for server in servers:
        taken, wrong = [], []
        for turn in range(CHANGES):
            address = f"reloaded.{turn}@example.com"
            server.write([*addresses, address])
            with Load(binaries, server.target, "--connections", 16, "--ramp", 0.3, "--strangers", "example.com", "--recipients", listed,
                      "--valid-share", 0.1, "--expect", f"stranger={server.stranger_replies}", "--duration", 600, "--failures", 100_000_000,
                      core=cores()[1]) as running:
                time.sleep(0.8)
                since = time.monotonic()
                server.load()
                taken.append(wait_accepted(server, address, since))
                running.process.terminate()
                found = running.report(60)
            complain(record, server.name, "reload", faults(found))
            wrong.append(sum(found[name] for name in ("wrong", "dropped", "timeouts", "connect_errors")))
        record.figure(f"{server.name}_reload_s", "s", taken)
        record.figure(f"{server.name}_reload_wrong", "answers", wrong)
