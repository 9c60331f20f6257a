"""What the comparison with other mail servers reads and draws."""

import os
import signal
import subprocess
import xml.dom.minidom

from benches import peers, plots
from peers import peer


def test_a_process_whose_name_has_blanks_and_brackets_is_read():
    line = "17 (a ) (b) S 5 17 17 0 -1 4194560 100 200 0 0 30 12 7 3 20 0 1 0 100 0 0\n"
    assert peer.parse_stat(line) == (5, 42, 10)


def test_a_tree_has_children_of_children_and_nobody_else():
    stats = {1: (0, 0, 0), 10: (1, 1, 0), 11: (10, 1, 0), 12: (11, 1, 0), 20: (1, 1, 0)}
    assert sorted(peer.tree_of(10, stats)) == [10, 11, 12]


def test_processor_time_of_a_child_that_has_ended_counts():
    worker = subprocess.Popen(["sh", "-c", "i=0; sh -c 'while [ $i -lt 200000 ]; do i=$((i+1)); done' i=0; echo done; read -r line"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, i="0"))
    try:
        assert worker.stdout.readline() == b"done\n"
        assert peer.tree_cpu_seconds(worker.pid) >= 0.05
        assert peer.tree_memory_kib(worker.pid) > 0
    finally:
        worker.communicate(b"\n", timeout=10)


def test_processor_time_of_other_programs_is_told_from_ours():
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('done', flush=True)\ninput()"
    ours = subprocess.Popen(["python3", "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    others = int(subprocess.check_output(["sh", "-c", f"python3 -c \"{busy.replace('input()', 'time.sleep(3)')}\" >/dev/null & echo $!"]))  # its parent ends
    try:
        assert ours.stdout.readline() == b"done\n"
        assert peer.tree_cpu_seconds(os.getpid()) >= 0.3
        stats = peer.read_stats()
        assert others not in peer.tree_of(os.getpid(), stats) and ours.pid in peer.tree_of(os.getpid(), stats)
        assert peer.others_cpu_seconds() >= sum(stats[others][1:]) / peer.TICKS
    finally:
        ours.communicate(b"\n", timeout=10)
        os.kill(others, signal.SIGKILL)


def a_content():
    figures = {"edge_single_per_s": 5000, "exim_single_per_s": 2, "edge_single_few_per_s": 7, "edge_single_cpu_ns": 1500, "exim_reload_s": 0.5}
    return {"figures": {key: {"value": value} for key, value in figures.items()},
            "conditions": {"others_share": {"single": {"median": 0.01, "most": 0.25}}, "faults_of_peers": ["exim reload: wrong 1"]}}


def test_values_are_found_by_server_and_figure():
    assert peers.values_of(a_content(), "single_per_s") == {"edge": 5000, "exim": 2}
    assert peers.values_of(a_content(), "single_few_per_s") == {"edge": 7}


def test_the_summary_has_servers_side_by_side_and_tells_load_and_faults():
    lines = peers.summary(a_content()).splitlines()
    rows = {line[:24].strip(): line[24:].split() for line in lines[1:]}
    assert lines[0].split() == ["null", "edge", "postfix", "exim", "opensmtpd", "haraka"]
    assert rows["single a second"] == ["-", "5,000", "-", "2", "-", "-"]
    assert rows["single CPU us each"][1] == "1.5" and rows["whole list, in force s"][3] == "0.5"
    assert "25.0%" in lines[-2] and lines[-1] == "fault of a peer: exim reload: wrong 1"


def test_a_plot_is_xml_with_a_bar_for_each_value_and_the_larger_the_longer():
    text = plots.bars("a < b", [("one & two", {"edge": 1000, "other": 10})])
    bars = [float(bar.getAttribute("width")) for bar in xml.dom.minidom.parseString(text).getElementsByTagName("rect") if bar.getAttribute("x")]
    assert len(bars) == 2 and bars[0] > bars[1]
