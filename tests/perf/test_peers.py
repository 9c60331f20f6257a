"""What the comparison with other mail servers reads and draws."""

import os
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


def test_rates_are_found_by_server_and_shape():
    content = {"figures": {key: {"value": value} for key, value in {
        "edge_single_per_s": 5, "exim_single_per_s": 2, "edge_single_few_per_s": 7, "edge_single_cpu_ns": 1}.items()}}
    assert peers.rates_of(content, "single") == {"edge": 5, "exim": 2}
    assert peers.rates_of(content, "single_few") == {"edge": 7}


def test_a_plot_is_xml_with_a_bar_for_each_value_and_the_larger_the_longer():
    text = plots.bars("a < b", [("one & two", {"edge": 1000, "other": 10})])
    bars = [float(bar.getAttribute("width")) for bar in xml.dom.minidom.parseString(text).getElementsByTagName("rect") if bar.getAttribute("x")]
    assert len(bars) == 2 and bars[0] > bars[1]
