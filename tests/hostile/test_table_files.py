"""Table files that are cut, changed or foreign, offered to a running edge: refused with a reason, and the table in force stays."""

import pytest
from downstream import free_port
from smtp import rcpt_reply
from system import System

LISTED = "alice@example.com"


@pytest.fixture(scope="module")
def system(tmp_path_factory, port_network):
    with System(tmp_path_factory.mktemp("tables"), network=port_network) as running:
        running.serve("example.com", free_port(), [LISTED, "bob@example.com"])
        yield running


def prepared(system, octets, name="hostile"):
    (system.tables / name).write_bytes(octets)
    return system.edge.command(f"table prepare {name}")


def good_file(system):
    shown = system.edge.command("show table")
    return (system.tables / shown["base"]["file"]).read_bytes()


def still_answers(system):
    assert rcpt_reply(system.smtp, "stranger@example.com") == "550 5.1.1 Invalid recipient"
    # The listed one is known: its mail server is away, which is a 451 of the relay and not a 550.
    assert rcpt_reply(system.smtp, LISTED).startswith("451 4.4.1")


def test_every_flipped_header_byte_is_refused(system):
    good = good_file(system)
    before = system.edge.command("show table")
    for offset in range(min(256, len(good))):
        changed = bytearray(good)
        changed[offset] ^= 0x5A
        answer = prepared(system, bytes(changed))
        assert not answer["ok"], f"octet {offset}"
        assert len(answer["error"]) > 20, answer
    assert system.edge.command("show table") == before
    still_answers(system)


def test_every_truncation_is_refused(system, full):
    good = good_file(system)
    step = 1 if full else max(1, len(good) // 200)
    for length in sorted({*range(0, len(good), step), 0, 1, 8, 63, 64, 65, 4095, 4096, len(good) - 1}):
        if length < len(good):
            answer = prepared(system, good[:length])
            assert not answer["ok"], f"{length} octets of {len(good)}"
    still_answers(system)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\xff" * 100_000, b"%PDF-1.4\n", b"email\nalice@example.com\n"],
                         ids=["empty", "zeros", "ones", "pdf", "csv"])
def test_foreign_files_are_refused(system, content):
    assert not prepared(system, content)["ok"]
    still_answers(system)


@pytest.mark.parametrize("name", ["../edge.toml", "/etc/passwd", "absent", ".", "", "a/b"])
def test_names_that_are_no_files_of_the_folder_are_refused(system, name):
    answer = system.edge.command(f"table prepare {name}")
    assert not answer["ok"]
    still_answers(system)


def test_appended_octets_are_refused(system):
    assert not prepared(system, good_file(system) + b"\0")["ok"]


def test_commit_without_anything_prepared_is_refused(system):
    system.edge.command("table discard")
    assert not system.edge.command("table commit")["ok"]
    still_answers(system)
