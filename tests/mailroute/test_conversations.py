"""The MailRoute-compatible API as its clients meet it: conversations over HTTPS with the real postern-control."""

import json
import pathlib
import subprocess

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


def test_what_was_read_and_comes_back_ends_no_mode(control, kept):
    server = Server(control.port, control.ca, kept[0])
    control.ctl("domain", "add", "modes.example")
    uri = server.ask("GET", "/api/v1/domain/?name=modes.example")[1]["objects"][0]["resource_uri"]
    for mode in ("discover", "defer"):
        control.ctl("domain", "mode", "modes.example", mode)
        read = server.ask("GET", uri)[1]
        assert read["userlist_complete"] is read["bounce_unlisted"] is False
        status, given, _ = server.ask("PUT", uri, read)
        assert status == 202 and given | {"updated_at": read["updated_at"]} == read  # a PUT is a change, in this second or the next
        assert control.ctl_json("domain", "show", "modes.example")["mode"] == mode


def test_a_body_beyond_the_bound_is_refused_with_a_reason(control, kept, tmp_path):
    server = Server(control.port, control.ca, kept[0])
    (tmp_path / "body").write_bytes(b" " * (9 << 20))
    login, key = server.keys["admin"]
    done = subprocess.run(["curl", "-sS", "--cacert", control.ca, "-H", f"Authorization: ApiKey {login}:{key}", "-w", "\n%{http_code}", "--data-binary", f"@{tmp_path}/body",
                           f"{server.url}/api/v1/email_account/mass_add/"], capture_output=True, text=True, check=False, timeout=60)
    body, status = done.stdout.rsplit("\n", 1)
    assert status == "413" and json.loads(body)["error"], done
    # One entry too many of a bulk call changes nothing.
    control.ctl("domain", "add", "bulk.example")
    domain = server.ask("GET", "/api/v1/domain/?name=bulk.example")[1]["objects"][0]
    status, refused, _ = server.ask("POST", f"{domain['resource_uri']}email_accounts/mass_add/", [f"u{number}" for number in range(10_001)])
    assert status == 400 and "at most" in refused["error"], refused
    assert server.ask("GET", f"/api/v1/email_account/?domain={domain['id']}")[1]["meta"]["total_count"] == 0
