"""Hot swaps of the list under a steady load: no dropped connection, no wrong answer, nothing leaked.

Two lists share most addresses and each has some of its own. postern-load asks for all of them and for strangers, and holds each answer
against the lists that can have been in force between its command's sending and its reply's arrival; an address of both lists must
always be accepted. Small: 20 swaps; full: 1,000. Rates are judged on the release build only; the sanitizers' builds run what they can.
"""

import contextlib
import pathlib
import time

import pytest

from benches import running, swaps
from benches.edge import Edge, Lists

CONNECTIONS = 64
LEAST_RATE = 20_000
RSS_GROWTH_KIB = 16 * 1024


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def settled(measure, wanted, seconds=10):
    """Waits until a figure has come down to what is wanted; its last value."""
    end = time.monotonic() + seconds
    while (value := measure()) > wanted and time.monotonic() < end:
        time.sleep(0.05)
    return value


def swap_under_load(binaries, folder, count, addresses, rate, facts, judge_memory):
    with running.NullServer(binaries, listed="") as downstream, \
            Edge(folder, binaries, shards=2, downstream=downstream.port, more="\n[relay]\nidle = 2\n") as edge:
        lists = Lists(folder, edge, addresses)
        edge.put_in_force(lists.files[0])
        windows = swaps.Windows(folder / "swaps", room=count + 1)
        quiet_descriptors = descriptors(edge.pid)
        words = ["--recipients", lists.both_file, "--only-a", lists.a_file, "--only-b", lists.b_file, "--strangers", lists.domain,
                 "--valid-share", 0.02, "--swap-share", 0.1, "--swap-windows", windows.path, "--rate", rate, "--connections", CONNECTIONS,
                 "--sources", CONNECTIONS, "--duration", 24 * 3600]
        with contextlib.closing(windows), running.Load(binaries, edge.target, *words) as load, edge.socket() as control:
            time.sleep(1)
            warm = 0
            for turn in range(count):
                which = (turn + 1) % 2
                swaps.swap(control, windows, lists.files[which], which)
                time.sleep(0.03)  # some load between two swaps, so that answers of one list alone are judged too
                if turn == count // 4:
                    warm = running.memory_kib(edge.pid)
                assert load.running(), running.faults(load.report(10))
            table = control.ask("show table")
            grown = running.memory_kib(edge.pid) - warm
            load.process.terminate()
            found = load.report(60)

        assert running.faults(found) == ""
        assert found["status"] == 0
        assert found["connections_made"] == CONNECTIONS
        assert found["swaps"]["records"] == count + 1
        assert found["swaps"]["unjudged"] == 0
        assert found["swaps"]["judged"] > 0 and found["swaps"]["during_ns"]["count"] > 0
        assert set(found["replies"]) == {"250", "550"}
        assert table["generation"] >= count + 1
        assert len(table["kept"]) <= 8
        with edge.socket() as control:
            assert settled(lambda: control.ask("show sessions")["sessions"], 0) == 0
        # Pooled connections to the mail server end by themselves after two seconds.
        assert settled(lambda: descriptors(edge.pid), quiet_descriptors, 30) <= quiet_descriptors
        if judge_memory:
            assert grown < RSS_GROWTH_KIB
        facts(f"{count:,} swaps of {addresses:,} addresses under {found['rcpts_per_s']:,.0f} RCPT/s: {found['rcpts']:,} replies, "
              f"{found['swaps']['judged']:,} judged by list, 0 wrong; p99 {found['swaps']['during_ns']['p99'] / 1e6:.2f} ms during swaps, "
              f"{found['swaps']['between_ns']['p99'] / 1e6:.2f} ms between; memory +{max(grown, 0) / 1024:.1f} MiB")
        edge.process.terminate()
        # A sanitizer's report (leaks come at the end) makes the status another.
        assert edge.process.wait(90) == 0, (folder / "edge.log").read_text(encoding="utf-8", errors="replace")[-3000:]
    return found


@pytest.mark.release
def test_swaps_under_a_steady_load_of_20000_a_second(binaries, tmp_path, full, facts):
    found = swap_under_load(binaries, tmp_path, 1000 if full else 20, 200_000, LEAST_RATE * 1.25, facts, judge_memory=True)
    assert found["rcpts_per_s"] >= LEAST_RATE


def test_swaps_under_load_with_address_sanitizer(binaries, tmp_path, full, facts):
    swap_under_load(binaries, tmp_path, 1000 if full else 20, 20_000, LEAST_RATE / 4, facts, judge_memory=False)


@pytest.mark.threads
def test_swaps_under_load_with_thread_sanitizer(binaries, tmp_path, full, facts):
    swap_under_load(binaries, tmp_path, 1000 if full else 20, 20_000, LEAST_RATE / 4, facts, judge_memory=False)
