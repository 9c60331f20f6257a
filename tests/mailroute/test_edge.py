"""A script written for MailRoute sets up a domain, and the real edge does as it said; a pushed list is guarded and has its rate."""

import pytest
from certificates import Authority
from conversation import Server
from downstream import ScriptedServer, wait_until
from smtp import rcpt_reply
from system import System


@pytest.fixture
def system(tmp_path, port_network):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("control")
    with ScriptedServer({"RCPT stranger@shop.example": "550 5.1.1 No such user here"}) as server:
        running = System(tmp_path, control={"api": {"certificate": str(certificate), "key": str(key)}}, network=port_network)
        running.control.ca = authority.file
        with running:
            line = running.ctl("token", "add", "script@shop.example", "--role", "admin", "--mailroute").strip()
            login, key = line.removeprefix("ApiKey ").rsplit(":", 1)
            running.api = Server(running.control.port, authority.file, {"admin": (login, key)})
            running.server = server
            yield running


def good(system, method, path, body=None):
    status, answer, _ = system.api.ask(method, path, body)
    assert 200 <= status < 300, (method, path, status, answer)
    return answer


def domain_with_server(system, **settings):
    domain = good(system, "POST", "/api/v1/domain/", {"name": "shop.example", "customer": "/api/v1/customer/1/", "deliveryport": system.server.port, **settings})
    good(system, "POST", "/api/v1/mail_server/", {"domain": domain["resource_uri"], "server": "127.0.0.1"})
    return domain


def account(system, domain, localpart):
    return good(system, "POST", "/api/v1/email_account/", {"domain": domain["resource_uri"], "localpart": localpart, "create_opt": "generate_pwd"})


def replies(system, address, beginning, within=10):
    wait_until(lambda: rcpt_reply(system.smtp, address).startswith(beginning), within, f"{address} is answered {beginning}")


def test_what_a_script_says_is_what_the_edge_does(system):
    # Complete before it has anything: that waits for the first account, and then holds.
    domain = domain_with_server(system, userlist_complete=True)
    replies(system, "stranger@shop.example", "550 5.1.1 No such user")  # the mail server's own words
    alice = account(system, domain, "alice")
    replies(system, "alice@shop.example", "250")
    replies(system, "stranger@shop.example", "550 5.1.1 Invalid recipient")
    assert good(system, "GET", domain["resource_uri"])["userlist_complete"] is True
    assert system.control.ctl_json("domain", "show", "shop.example")["mode"] == "enforce"

    # Aliases, one by one and many; an account that becomes one; renamed; gone.
    good(system, "POST", "/api/v1/localpart_alias/", {"localpart": "sales", "email_account": alice["resource_uri"]})
    good(system, "POST", f"{alice['resource_uri']}mass_add_aliases/", {"aliases": ["info"]})
    bob = account(system, domain, "bob")
    good(system, "POST", f"{alice['resource_uri']}users_to_alias/", {"accounts": [bob["resource_uri"]]})
    for local in ("sales", "info", "bob"):
        replies(system, f"{local}@shop.example", "250")
    assert good(system, "PUT", alice["resource_uri"], {"localpart": "alice.archer"})["id"] == alice["id"]
    replies(system, "alice.archer@shop.example", "250")
    replies(system, "alice@shop.example", "550 5.1.1")
    explained = system.control.ctl_json("explain", "alice.archer@shop.example")
    assert explained["valid"] is True and explained["last"]["what"] == "added"
    assert "token:script@shop.example" in system.ctl("history", "--address", "alice.archer@shop.example")

    # Held, not active, both, neither.
    for change, reply in (({"hold_email": True}, "450 4.3.2"), ({"hold_email": False, "active": False}, "450 4.3.2"), ({"active": True}, "250")):
        good(system, "PATCH", domain["resource_uri"], change)
        replies(system, "alice.archer@shop.example", reply)
    # A hold that a person lifts is lifted here, too.
    good(system, "PATCH", domain["resource_uri"], {"active": False})
    system.ctl("domain", "edit", "shop.example", "--on-hold", "false")
    now = good(system, "GET", domain["resource_uri"])
    assert (now["active"], now["hold_email"]) == (True, False)

    # A domain alias has what its domain has, until it is not active.
    alias = good(system, "POST", "/api/v1/domain_alias/", {"name": "shop-alias.example", "domain": domain["resource_uri"]})
    replies(system, "alice.archer@shop-alias.example", "250")
    good(system, "PATCH", alias["resource_uri"], {"active": False})
    replies(system, "alice.archer@shop-alias.example", "450 4.3.2")
    replies(system, "alice.archer@shop.example", "250")
    good(system, "PATCH", alias["resource_uri"], {"active": True})
    replies(system, "alice.archer@shop-alias.example", "250")

    # Not complete any more: strangers are passed on again.
    good(system, "PATCH", domain["resource_uri"], {"bounce_unlisted": False})
    replies(system, "other@shop.example", "250")
    good(system, "PATCH", domain["resource_uri"], {"bounce_unlisted": True})
    replies(system, "other@shop.example", "550 5.1.1")
    good(system, "DELETE", domain["resource_uri"])
    replies(system, "alice.archer@shop.example", "550 5.7.1")


def test_mail_servers_are_the_inbound_server_whoever_changes_it(system):
    domain = domain_with_server(system)
    control = system.control
    shown = control.good("GET", "/v1/inbound-servers")["items"][0]
    assert [(each["host"], each["port"]) for each in shown["hosts"]] == [("127.0.0.1", system.server.port)] and shown["confirmed"], shown
    # By Postern's own API: the host that stays keeps its id, the other is another one.
    servers = good(system, "GET", f"/api/v1/mail_server/?domain={domain['id']}")["objects"]
    control.good("PATCH", f"/v1/inbound-servers/{shown['id']}", {"hosts": [{"host": "127.0.0.2", "port": 2525}, {"host": "127.0.0.1", "port": system.server.port}]})
    now = {each["server"]: each for each in good(system, "GET", f"/api/v1/mail_server/?domain={domain['id']}")["objects"]}
    assert sorted(now) == ["127.0.0.1", "127.0.0.2"] and now["127.0.0.1"]["id"] == servers[0]["id"]
    # Shared with another domain, a change makes a copy for this one.
    control.ctl("domain", "add", "second.example")
    control.good("PATCH", "/v1/domains/second.example", {"inbound_server": shown["id"]})
    assert len(good(system, "GET", "/api/v1/mail_server/?domain__name=second.example")["objects"]) == 2
    good(system, "DELETE", now["127.0.0.2"]["resource_uri"])
    assert [each["server"] for each in good(system, "GET", f"/api/v1/mail_server/?domain={domain['id']}")["objects"]] == ["127.0.0.1"]
    assert len(good(system, "GET", "/api/v1/mail_server/?domain__name=second.example")["objects"]) == 2
    # A password that is kept is in no answer, and not in the file.
    good(system, "PATCH", now["127.0.0.1"]["resource_uri"], {"use_sasl": True, "sasl_login": "postern", "sasl_password": "correct horse"})
    assert all(b"correct horse" not in path.read_bytes() for path in control.state.rglob("*") if path.is_file())
    assert "correct horse" not in control.log_text()


def test_a_pushed_list_is_guarded_and_has_its_rate(system):
    domain = domain_with_server(system)
    path = "/api/v1/ldapsync/remote_data/?domain=shop.example&test_run="
    people = [{"email": f"user{number}@shop.example", "aliases": []} for number in range(60)]
    assert good(system, "POST", path + "0", people)["state"] == "succeeded"
    good(system, "PATCH", domain["resource_uri"], {"userlist_complete": True})
    replies(system, "user59@shop.example", "250")
    status, held, _ = system.api.ask("POST", path + "0", people[:20])
    assert (status, held["state"], held["counts"]["removed"]) == (202, "held", 40) and held["message"], held
    assert good(system, "GET", f"/api/v1/email_account/?domain={domain['id']}")["meta"]["total_count"] == 60
    system.control.good("POST", f"/v1/syncs/{held['run']}/approve")
    wait_until(lambda: good(system, "GET", f"/api/v1/email_account/?domain={domain['id']}")["meta"]["total_count"] == 20, 10, "40 are gone")
    replies(system, "user59@shop.example", "550 5.1.1")

    source = next(each for each in system.control.good("GET", "/v1/sources")["items"] if each["name"] == "push:shop.example")
    system.control.good("PATCH", f"/v1/sources/{source['id']}", {"settings": {**source["settings"], "pushes_per_hour": 2}})
    status, refused, fields = system.api.ask("POST", path + "0", people[:20])
    assert status == 429 and 0 < int(fields["Retry-After"]) <= 3600 and refused["error"], (status, refused)
    assert good(system, "POST", path + "1", people[:20])["state"] == "previewed"
