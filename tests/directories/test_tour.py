"""docs/tour.md, run: each of its commands against a real edge, control, slapd and mail server, and what it shows compared with what it says.

A block of commands begins with ```sh, one whose last command is to fail with ```sh fails; ```sh settings is what this test sets itself. A block without
a word after ``` is what the commands before it show: … stands for anything in a line, and alone in a line for any lines.
"""

import os
import pathlib
import re
import signal
import subprocess

import pytest
from lib.control import Control
from lib.downstream import ScriptedServer
from lib.postern import Edge, free_port

TOUR = pathlib.Path(__file__).resolve().parents[2] / "docs" / "tour.md"


def blocks(text):
    """(word behind ```, content) of every block, in order."""
    return [(found[1], found[2]) for found in re.finditer(r"^```(.*)\n((?s:.*?))^```$", text, re.MULTILINE)]


def pattern(shown):
    """A regular expression for what a block shows."""
    lines = []
    for line in shown.splitlines():
        lines.append("(?:.*\n)*?" if line.strip() == "…" else ".*".join(re.escape(part) for part in line.split("…")) + "\n")
    return "".join(lines)


def test_patterns_mean_what_they_show():
    assert re.fullmatch(pattern("a … c\n…\nend"), "a b c\nx\ny\nend\n")
    assert not re.fullmatch(pattern("a … c\nend"), "a b c\nx\nend\n")
    assert not re.fullmatch(pattern("a.c"), "abc\n")


@pytest.fixture
def system(tmp_path):
    with Edge(tmp_path / "edge") as edge, ScriptedServer() as server:
        with Control(tmp_path / "control", edges=[edge.socket], tables=edge.tables) as control:
            yield edge, control, server


def test_the_tour_goes_as_it_is_written(system, tmp_path, binaries):
    edge, control, server = system
    folder = tmp_path / "tour"
    folder.mkdir()
    environment = dict(os.environ, PATH=f"{binaries}:{os.environ['PATH']}", POSTERN_URL=control.url, POSTERN_TOKEN_FILE=str(control.token_file),
                       SMTP=f"127.0.0.1:{edge.port}", MAIL_SERVER=f"127.0.0.1:{server.port}", DIRECTORY=f"127.0.0.1:{free_port()}", LC_ALL="C.UTF-8")
    output, ran = "", 0
    try:
        for word, content in blocks(TOUR.read_text()):
            if word in ("sh", "sh fails"):
                done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", content], cwd=folder, env=environment, capture_output=True, text=True,
                                      timeout=120, check=False)
                output, ran = done.stdout + done.stderr, ran + 1
                assert (done.returncode == 0) == (word == "sh"), f"{content}\nended with {done.returncode}:\n{output}\n{control.log_text()[-2000:]}"
            elif word == "":
                assert re.fullmatch(pattern(content), output), f"the tour shows\n{content}\nand it is\n{output}"
            else:
                assert word == "sh settings", f"the tour has a block of an unknown sort: {word}"
    finally:
        directory = folder / "directory" / "slapd.pid"
        if directory.exists():
            os.kill(int(directory.read_text()), signal.SIGTERM)
    assert ran > 10
    assert len(server.messages) == 1, "the mail for ada arrived"
