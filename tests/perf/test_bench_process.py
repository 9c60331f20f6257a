"""postern-load against the do-nothing server, honest and lying; the benchmark runner's records."""

import contextlib
import copy
import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree

import pytest
from accepting import Accepting

from benches import machine, record, running, swaps

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def people(tmp_path):
    """A file of listed addresses, all of which the null server accepts with --listed user."""
    path = tmp_path / "people.txt"
    path.write_text("".join(f"user.{i}@example.com\n" for i in range(1000)), encoding="ascii")
    return path


def load(binaries, target, *words):
    return running.load(binaries, target, *words, patience=60)


def run_raw(binaries, *words):
    return subprocess.run([str(binaries / "postern-load"), *map(str, words)], capture_output=True, text=True, timeout=60, check=False)


def test_right_answers_are_counted_and_none_is_wrong(binaries, people):
    with running.NullServer(binaries, listed="user.") as server:
        found = load(binaries, server.target, "--recipients", people, "--strangers", "example.com", "--valid-share", 0.3, "--count", 20000,
                     "--threads", 2, "--sources", 50)
    assert found["status"] == 0
    assert found["rcpts"] == 20000
    assert running.faults(found) == ""
    assert set(found["replies"]) == {"250", "550"}
    assert found["replies"]["250"] + found["replies"]["550"] == 20000
    assert 0.27 < found["replies"]["250"] / 20000 < 0.33
    assert found["connections_made"] == 64 and found["sessions"] == 64
    assert found["latency_ns"]["count"] == 20000
    assert 0 < found["latency_ns"]["p50"] <= found["latency_ns"]["p99"] <= found["latency_ns"]["max"]


@pytest.mark.parametrize("pipeline", [1, 50])
def test_every_lie_is_caught(binaries, people, pipeline):
    with running.NullServer(binaries, listed="user.", lie=100) as server:
        found = load(binaries, server.target, "--recipients", people, "--strangers", "example.com", "--count", 10000, "--pipeline", pipeline,
                     "--failures", 100000)
    assert found["status"] == 1
    assert found["rcpts"] == 10000
    assert found["wrong"] == 100
    assert 1 <= len(found["examples"]) <= 5
    assert "RCPT TO:<" in found["examples"][0] and "expected" in found["examples"][0]


def test_too_many_failures_end_the_load(binaries, people):
    with running.NullServer(binaries, listed="nobody", lie=0) as server:
        found = load(binaries, server.target, "--recipients", people, "--duration", 60, "--failures", 10)
    assert found["status"] == 1
    assert 10 <= found["wrong"] < 1000
    assert found["seconds"] < 30


def test_one_seed_asks_the_same_in_every_run(binaries, people):
    with running.NullServer(binaries, listed="user.") as server:
        words = ("--recipients", people, "--strangers", "example.com", "--count", 5000, "--connections", 1)
        first, again, other = (load(binaries, server.target, *words, "--seed", seed) for seed in (1, 1, 2))
    assert first["replies"] == again["replies"]
    assert first["replies"] != other["replies"]


def test_churn_makes_a_session_of_each_recipient(binaries):
    with running.NullServer(binaries) as server:
        found = load(binaries, server.target, "--strangers", "example.com", "--churn", "--count", 2000, "--sources", 20)
    assert found["status"] == 0
    assert found["rcpts"] == found["sessions"] == found["connections_made"] == 2000
    assert found["session_latency_ns"]["count"] == 2000


@pytest.mark.parametrize("pipeline", [1, 10])
def test_messages_are_delivered_whole(binaries, people, pipeline):
    with running.NullServer(binaries, listed="user.") as server:
        found = load(binaries, server.target, "--recipients", people, "--messages", "--per-transaction", 3, "--size", 100000, "--count", 300,
                     "--pipeline", pipeline)
        mixed = load(binaries, server.target, "--recipients", people, "--strangers", "example.com", "--valid-share", 0.1, "--messages",
                     "--count", 300, "--pipeline", pipeline)
    assert found["status"] == 0 and found["messages"] == 300 and found["rcpts"] == 900
    # Most of the mixed ones have one refused recipient, so the null server's 354 to DATA is a wrong answer.
    assert mixed["status"] == 1
    assert "DATA: expected 554|503" in " ".join(mixed["examples"])


def test_a_rate_is_not_exceeded(binaries, people):
    with running.NullServer(binaries, listed="user.") as server:
        found = load(binaries, server.target, "--recipients", people, "--rate", 1000, "--count", 1000)
    assert found["status"] == 0 and found["rcpts"] == 1000
    assert found["seconds"] > 0.9


def server_connections(server):
    """How many connections a null server has open."""
    return sum(os.readlink(each).startswith("socket:") for each in pathlib.Path(f"/proc/{server.pid}/fd").iterdir()) - 1


def stall(process, after, seconds):
    """Stops a process for a while, some time from now."""
    def work():
        time.sleep(after)
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("exchange", [(), ("--churn",)])
def test_a_stall_is_charged_to_all_who_would_have_come(binaries, exchange):
    words = ("--strangers", "example.com", "--rate", 500, "--connections", 20, "--duration", 3, "--sources", 20, *exchange)
    latency = "session_latency_ns" if exchange else "latency_ns"
    found = {}
    for loop in ("open", "closed"):
        with running.NullServer(binaries) as server:
            stalled = stall(server.process, 1.2, 0.8)
            found[loop] = load(binaries, server.target, *words, *(["--open-loop"] if loop == "open" else []))
            stalled.join()
        assert found[loop]["status"] == 0 and found[loop]["loop"] == loop and found[loop]["rate"] == 500
    # 400 of 1,500 were due while the server stood still; in the closed loop just the 20 whose connections had asked, or were to, wait.
    assert found["open"][latency]["p90"] > 300e6
    assert found["open"][latency]["max"] > 700e6
    assert found["closed"][latency]["p90"] < found["open"][latency]["p90"] / 2
    assert found["open"]["rcpts"] > found["closed"]["rcpts"] + 200
    worst = max(found["open"]["each_second"], key=lambda second: second["p99_ns"])
    assert worst["p99_ns"] > 600e6 and worst["max_ns"] >= worst["p99_ns"] >= worst["p50_ns"]


def test_what_an_open_loop_could_not_send_is_told(binaries):
    with running.NullServer(binaries) as server:
        stalled = stall(server.process, 0.5, 1.5)
        found = load(binaries, server.target, "--strangers", "example.com", "--rate", 1000, "--open-loop", "--connections", 2, "--duration", 1.5)
        stalled.join()
    assert 500 < found["overdue"] < 1500


def test_a_ramp_opens_connections_and_raises_the_rate_bit_by_bit(binaries, people):
    with running.NullServer(binaries, listed="user.") as server:
        with running.Load(binaries, server.target, "--recipients", people, "--connections", 40, "--rate", 1000, "--open-loop",
                          "--ramp", 2, "--duration", 1) as started:
            time.sleep(0.5)
            opened_early = server_connections(server)
            found = started.report(60)
    assert found["status"] == 0 and found["connections_made"] == 40
    assert opened_early < 35, "a quarter of the ramp is over"
    assert found["seconds"] < 2, "the ramp is not measured"
    assert 1500 < found["rcpts"] <= 2100, "half of the rate over the ramp, all of it then"
    assert found["rcpts_measured"] < 1600


def test_reports_for_programs_and_people(binaries, tmp_path):
    with running.NullServer(binaries) as server:
        found = load(binaries, server.target, "--strangers", "example.com", "--duration", 2.2, "--csv", tmp_path / "seconds.csv", "--plot",
                     tmp_path / "load.svg")
        piped = run_raw(binaries, "--target", server.target, "--strangers", "example.com", "--duration", 1.1, "--csv", "-")
        unwritable = run_raw(binaries, "--target", server.target, "--strangers", "example.com", "--count", 100, "--plot",
                             tmp_path / "none" / "x.svg")
    rows = list(csv.DictReader((tmp_path / "seconds.csv").read_text(encoding="ascii").splitlines()))
    assert [int(row["second"]) for row in rows] == [1, 2]
    assert [int(row["rcpts"]) for row in rows] == [second["rcpts"] for second in found["each_second"]]
    assert all(0 < float(row["p50_us"]) <= float(row["p99_us"]) <= float(row["p999_us"]) <= float(row["max_us"]) for row in rows)
    drawing = ElementTree.parse(tmp_path / "load.svg").getroot()
    curves = drawing.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(curves) == 5 and all(len(curve.get("points").split()) >= 2 for curve in curves)
    texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Latency by percentile", "Throughput over time", "Latency over time", "RCPTs/s"} <= set(texts)
    assert piped.returncode == 0 and piped.stdout.startswith("second,rcpts,") and "RCPT latency" in piped.stderr
    assert unwritable.returncode == 3 and str(tmp_path / "none") in unwritable.stderr


class Scripted:
    """A server that answers by a function of the line; None closes the connection, "" says nothing."""

    def __init__(self, answer):
        self._answer = answer
        self._accepting = Accepting(self._talk)
        self.target = f"127.0.0.1:{self._accepting.port}"

    def _talk(self, client):
        with client, client.makefile("rb") as lines:
            try:
                client.sendall(b"220 scripted\r\n")
                for line in lines:
                    reply = self._answer(line)
                    if reply is None:
                        return
                    client.sendall(reply.encode())
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._accepting.end()


def proper(line):
    return {b"EHLO": "250 scripted\r\n", b"QUIT": "221 bye\r\n"}.get(line[:4], "250 ok\r\n")


@pytest.mark.parametrize(("answer", "counter", "words"), [
    (lambda line: None if line.startswith(b"RCPT") else proper(line), "dropped", "connection lost (closed by the server) at RCPT"),
    (lambda line: "" if line.startswith(b"RCPT") else proper(line), "timeouts", "no reply in time to RCPT"),
    (lambda line: "250 ok\r\n250 and more\r\n" if line.startswith(b"RCPT") else proper(line), "wrong", "a reply without a command"),
    (lambda line: "421 4.3.2 no\r\n" if line.startswith(b"MAIL") else proper(line), "wrong", "MAIL: expected 250"),
])
def test_a_server_that_misbehaves_is_counted(binaries, people, answer, counter, words):
    with Scripted(answer) as server:
        found = load(binaries, server.target, "--recipients", people, "--connections", 1, "--failures", 1, "--timeout", 0.3, "--duration", 20)
    assert found["status"] == 1
    assert found[counter] >= 1
    assert words in " ".join(found["examples"])


def test_mistakes_are_told_with_their_remedy(binaries, tmp_path, people):
    remote = run_raw(binaries, "--target", "192.0.2.1:25", "--strangers", "example.com")
    assert remote.returncode == 2 and "--remote" in remote.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = run_raw(binaries, "--target", f"127.0.0.1:{port}", "--strangers", "example.com")
    assert refused.returncode == 3 and "Connection refused" in refused.stderr
    bad = tmp_path / "bad.txt"
    bad.write_text("a@example.com\nnot an address\n", encoding="ascii")
    listed = run_raw(binaries, "--target", "127.0.0.1:1", "--recipients", bad)
    assert listed.returncode == 2 and f"{bad}:2" in listed.stderr
    assert run_raw(binaries, "--target", "127.0.0.1:1").returncode == 2
    assert run_raw(binaries).returncode == 2
    assert run_raw(binaries, "--version").stdout.startswith("postern-load ")
    assert "--pipeline" in run_raw(binaries, "--help").stdout
    unwritable = run_raw(binaries, "--target", "127.0.0.1:1", "--recipients", people, "--swap-windows", tmp_path / "none")
    assert unwritable.returncode == 2 and str(tmp_path / "none") in unwritable.stderr


def test_an_interrupted_load_still_reports(binaries, people):
    with running.NullServer(binaries, listed="user.") as server:
        with running.Load(binaries, server.target, "--recipients", people, "--duration", 600) as started:
            time.sleep(0.5)
            started.process.send_signal(signal.SIGINT)
            found = started.report(30)
    assert found["status"] == 0 and found["rcpts"] > 0 and found["seconds"] < 30


# Swap windows: the null server has no lists, so "A" is what it accepts (user.) and "B" what it refuses.

def swap_load(binaries, tmp_path, server, drive, first):
    (tmp_path / "a.txt").write_text("user.only-a@example.com\n", encoding="ascii")
    (tmp_path / "b.txt").write_text("other.only-b@example.com\n", encoding="ascii")
    words = ["--only-a", tmp_path / "a.txt", "--only-b", tmp_path / "b.txt", "--swap-share", 1, "--rate", 1500, "--count", 5000, "--failures",
             100000, "--connections", 8]
    with contextlib.closing(swaps.Windows(tmp_path / "swaps", first=first)) as windows, \
            running.Load(binaries, server.target, *words, "--swap-windows", windows.path) as started:
        drive(windows)
        return started.report(60)


def test_answers_of_the_list_in_force_are_right_and_of_another_wrong(binaries, tmp_path):
    with running.NullServer(binaries, listed="user.") as server:
        right = swap_load(binaries, tmp_path, server, lambda windows: None, first=0)
        wrong = swap_load(binaries, tmp_path, server, lambda windows: None, first=1)
    assert right["status"] == 0 and right["swaps"]["judged"] == 5000 and right["swaps"]["unjudged"] == 0
    assert wrong["status"] == 1 and wrong["wrong"] == 5000


def test_a_swap_that_the_server_did_not_make_is_caught_once_it_is_over(binaries, tmp_path):
    """The server goes on answering by list A while the driver says that B is in force."""

    def drive(windows):
        time.sleep(1)
        windows.preparing(1)
        windows.begun()
        time.sleep(0.3)
        windows.ended()

    with running.NullServer(binaries, listed="user.") as server:
        found = swap_load(binaries, tmp_path, server, drive, first=0)
    assert found["status"] == 1
    assert found["swaps"]["judged"] == 5000 and found["swaps"]["records"] == 2
    # What came until the swap was over was right.
    assert 0 < found["wrong"] < 5000
    assert found["swaps"]["during_ns"]["count"] > 0 and found["swaps"]["between_ns"]["count"] > 0


# Records.

MACHINE = machine.describe()
COMMIT = machine.commit()


def a_record():
    made = record.Record("sockets", True, dict(MACHINE), dict(COMMIT))
    made.figure("ours", "RCPT/s", [10, 30, 20, 40, 50])
    made.figure("theirs", "RCPT/s", [10, 20, 10, 10, 10])
    made.ratio("ours_to_theirs", "ours", "theirs")
    return made


def test_a_record_has_the_form_that_the_next_benchmarks_keep_to(tmp_path):
    made = a_record()
    assert record.check_form(made.content) == []
    path = tmp_path / "folder" / "sockets.json"
    record.write(made.content, path)
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read["figures"]["ours"] == {"value": 30, "unit": "RCPT/s", "runs": [10, 30, 20, 40, 50]}
    assert read["ratios"]["ours_to_theirs"] == {"value": 2.0, "of": "ours", "to": "theirs", "runs": [1.0, 1.5, 2.0, 4.0, 5.0]}
    assert {"cpu", "cores", "kernel", "huge_pages"} <= read["machine"].keys()
    assert {"id", "clean"} == read["commit"].keys()


@pytest.mark.parametrize(("spoil", "words"), [
    (lambda c: c.pop("figures"), "'figures' is missing"),
    (lambda c: c["machine"].pop("kernel"), "machine: 'kernel' is missing"),
    (lambda c: c["figures"]["ours"]["runs"].pop(), "4 runs, at least 5"),
    (lambda c: c["figures"]["ours"].update(value=31), "not the median"),
    (lambda c: c["figures"]["ours"]["runs"].append(float("nan")), "not a number"),
    (lambda c: c["ratios"]["ours_to_theirs"].update(to="nobody"), "no figure 'nobody'"),
])
def test_a_record_of_another_form_is_refused(spoil, words):
    content = copy.deepcopy(a_record().content)
    spoil(content)
    assert any(words in fault for fault in record.check_form(content))


def test_ratios_pair_run_with_run():
    made = a_record()
    made.figure("short", "RCPT/s", [1, 2, 3, 4, 5, 6])
    with pytest.raises(ValueError, match="ours has 5 runs and short has 6"):
        made.ratio("bad", "ours", "short")


def test_a_comparison_tells_each_change_and_each_missing_key():
    kept, fresh = a_record().content, copy.deepcopy(a_record().content)
    fresh["figures"]["ours"]["value"] = 33
    fresh["figures"]["new"] = {"value": 1, "unit": "s", "runs": [1] * 5}
    del fresh["ratios"]["ours_to_theirs"]
    lines, missing = record.compare(kept, fresh)
    assert missing == ["ratios.ours_to_theirs"]
    assert any("ours" in line and "+10.0%" in line for line in lines)
    assert any("new: 1" in line for line in lines)


def bench(binaries, *words):
    return subprocess.run(["/usr/bin/python3", str(ROOT / "perf" / "bench.py"), *map(str, words)], capture_output=True, text=True,
                          timeout=600, check=False, env=dict(os.environ, POSTERN_BIN=str(binaries)))


def test_the_runner_says_which_benchmarks_there_are(binaries):
    listed = bench(binaries)
    assert listed.returncode == 2
    for name in ("table", "sockets", "swap", "dataplane", "peers", "scaling"):
        assert f"  {name} " in listed.stdout
    assert bench(binaries, "nothing").returncode == 2
    refused = bench(binaries, "sockets", "--quick", "--keep")
    assert refused.returncode == 2 and "too little to be kept" in refused.stderr


@pytest.mark.parametrize("name", ["table", "sockets", "swap", "dataplane", "peers", "scaling"])
@pytest.mark.release
def test_every_benchmark_runs_in_its_quick_size(binaries, tmp_path, name):
    done = bench(binaries, name, "--quick", "--out", tmp_path)
    why = [*done.stderr.splitlines()[-1:], *(line for line in done.stdout.splitlines() if line.startswith("WRONG"))]
    assert done.returncode == 0, "\n".join([" | ".join(why), done.stdout, done.stderr])
    content = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert record.check_form(content) == []
    assert content["wrong"] == []
    kept = ROOT / "docs" / "performance" / f"{name}.json"
    if kept.exists() and name not in ("table", "scaling"):  # their keys name their sizes
        _, missing = record.compare(json.loads(kept.read_text(encoding="utf-8")), content)
        # The quick size takes nothing from npm, so a fresh machine has no Haraka; and not every kernel has AF_XDP.
        assert [key for key in missing if "haraka" not in key and "af_xdp" not in key] == []
