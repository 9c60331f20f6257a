"""postern-board on this machine: what it says is so, and the commands that it gives mend what it found."""

import contextlib
import json
import os
import pathlib
import subprocess

import pytest
from postern import toml

PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


def board(binaries, *words, status=0):
    done = subprocess.run([binaries / "postern-board", *[str(word) for word in words]], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return done.stdout


def edge_file(tmp_path, memory_mib, **edge):
    """An edge.toml for a TAP device: nothing but memory can be wrong with it here."""
    path = tmp_path / "edge.toml"
    path.write_text(toml({"edge": {"transport": "dpdk", "shards": 1, **edge},
                          "port": {"device": "net_tap0,iface=postern0", "addresses": ["192.0.2.1/24"], "memory_mib": memory_mib}}))
    return path


def finding(binaries, config, about, status=0):
    told = json.loads(board(binaries, "doctor", "--config", config, "--json", status=status))
    return next((each for each in told["findings"] if each["about"] == about), None)


@contextlib.contextmanager
def pages_put_back():
    before = PAGES.read_text()
    try:
        yield
    finally:
        PAGES.write_text(before)


def test_probe_tells_what_the_kernel_tells(binaries):
    told = json.loads(board(binaries, "probe", "--json"))
    assert told["kernel"] == os.uname().release
    assert [cpu["id"] for cpu in told["cpus"]] == sorted(os.sched_getaffinity(0)) or len(told["cpus"]) == os.cpu_count()
    names = {name for name in os.listdir("/sys/class/net") if name != "lo" and pathlib.Path(f"/sys/class/net/{name}/ifindex").exists()}
    assert {each["name"] for each in told["interfaces"]} == names
    for each in told["nics"]:
        assert pathlib.Path(f"/sys/bus/pci/devices/{each['bus']}").exists()
    assert "tap" in told["pmds"]
    text = board(binaries, "probe")
    assert all(name in text for name in names)


@pytest.mark.skipif(not os.access(PAGES, os.W_OK), reason="needs root, to give the kernel huge pages")
def test_the_command_that_doctor_gives_for_huge_pages_mends(binaries, tmp_path):
    with pages_put_back():
        free = sum(pages["free"] * pages["kib"] for node in json.loads(board(binaries, "probe", "--json"))["nodes"]
                   for pages in node["huge_pages"] if pages["kib"] == 2048) // 1024
        config = edge_file(tmp_path, free + 64)
        found = finding(binaries, config, "huge_pages")
        assert found["severity"] == "warning"
        assert f"want {(free + 64) // 2} free huge pages of 2 MiB, and {free // 2} are free" in found["what"]
        subprocess.run(["sh", "-c", found["command"]], check=True)
        assert finding(binaries, config, "huge_pages") is None


def test_a_profile_becomes_an_edge_toml_that_the_edge_takes(binaries, tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    for name in ("state", "tables", "run"):
        (folder / name).mkdir()
    path = folder / "edge.toml"
    path.write_text("# my edge\n" + toml({"edge": {"user": "", "state": "state", "tables": "tables", "socket": "run/edge.sock"},
                                          "listener": [{"address": "192.0.2.1"}]}))
    assert "development" in board(binaries, "profile", "list")
    board(binaries, "profile", "apply", "development", "--config", path, "--address", "192.0.2.1/24")
    text = path.read_text()
    assert text.startswith("# my edge\n") and 'device = "net_tap0,iface=postern0"' in text
    checked = subprocess.run([binaries / "postern-edge", "--config", path, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "by " + str(path) in board(binaries, "doctor", "--config", path)


def test_what_keeps_the_edge_from_starting_is_an_error(binaries, tmp_path):
    config = edge_file(tmp_path, 64, cores=str(os.cpu_count() + 5))
    assert finding(binaries, config, "cores", status=1)["severity"] == "error"
    config.write_text(config.read_text().replace("net_tap0,iface=postern0", "0000:ff:1f.7"))
    assert "there is no network device at 0000:ff:1f.7" in finding(binaries, config, "device", status=1)["what"]
