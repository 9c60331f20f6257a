"""What the documents name is there."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def is_there(path, name):
    return (ROOT / path).exists() and (not name or re.search(rf"\b{name}\b", (ROOT / path).read_text()))


def test_each_test_that_shows_the_packet_path_is_there():
    named = set(re.findall(r"`(tests/[\w./]+)(?:::(\w+))?`", (ROOT / "docs" / "packet-path-tests.md").read_text()))
    assert len(named) > 50
    assert not [each for each in named if not is_there(*each)]
