"""The MailRoute-compatible API as its clients meet it: conversations over HTTPS with the real postern-control."""

import pathlib

import pytest
from certificates import Authority
from control import Control
from conversation import Server, hold

CONVERSATIONS = sorted((pathlib.Path(__file__).parent / "conversations").glob("*.txt"))


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mailroute")
    authority = Authority(folder / "ca")
    certificate, key = authority.issue("control")
    with Control(folder, {"api": {"certificate": str(certificate), "key": str(key)}}, ca=authority.file) as running:
        yield running


@pytest.fixture(scope="module")
def kept(control):
    """Two tenants with a domain each; the keys, and names that conversations use."""
    for name in ("Acme", "Other"):
        control.ctl("organisation", "add", name)
        organisation = next(each["id"] for each in control.ctl_json("organisation", "list") if each["name"] == name)
        control.ctl("domain", "add", f"{name.lower()}.example", "--organisation", organisation)
    acme = next(each["id"] for each in control.ctl_json("organisation", "list") if each["name"] == "Acme")
    keys = {
        "admin": ("scripts: all", "--role", "admin"),
        "reader": ("reader", "--role", "reader"),
        "operator": ("operator", "--role", "operator"),
        "acme": ("ops@acme.example", "--role", "admin", "--organisation", acme),
        "part": ("part", "--role", "admin", "--domain", "acme.example"),
    }
    given = {}
    for who, (login, *options) in keys.items():
        line = control.ctl("token", "add", login, "--mailroute", *options).strip()
        assert line.startswith(f"ApiKey {login}:pst_"), line
        given[who] = tuple(line.removeprefix("ApiKey ").rsplit(":", 1))
    return given, {"acme": acme, "admin_login": given["admin"][0], "admin_key": given["admin"][1]}


@pytest.mark.parametrize("file", CONVERSATIONS, ids=lambda file: file.stem)
def test_conversation(control, kept, file):
    keys, names = kept
    hold(Server(control.port, control.ca, keys), file, names)
