"""The Microsoft 365 source against a server that speaks the documented protocol (lib/graph.py): whole and incremental fetches, what goes
wrong on the way, and what failures say. It was not run against Microsoft's own."""

import json
import re
import signal
import socket
import subprocess
import time

import ldap_fetch
import pytest
from certificates import Authority
from graph import SECRET, TENANT, Graph, Proxy, Refused, rsa_certificate
from ldap_fetch import Running
from postern import BIN, free_port

PROGRAM = "microsoft365_fetch"
USER, SHARED, LIST = 0, 1, 3


def fetch(graph, cookie="", secrets=None, **changes):
    return ldap_fetch.fetch(graph.settings(**changes), program=PROGRAM, cookie=cookie, **(secrets or graph.secrets))


def connect(graph, secrets=None, **changes):
    return ldap_fetch.run("test", graph.settings(**changes), program=PROGRAM, **(secrets or graph.secrets))


def complete(got, whole=True):
    assert got.outcome["end"] == "complete" and got.outcome["whole"] == whole, got.outcome
    return got


def assert_failed(got, end, step, *words):
    """Nothing that a sync could apply, with the reason and the remedy in words."""
    assert got.outcome["end"] == end and got.outcome["step"] == step, got.outcome
    for each in words:
        assert each in got.outcome["reason"], got.outcome["reason"]
    assert got.outcome["cookie"] == ""


def fill(graph):
    graph.put("users", "ada", givenName="Ada", surname="Lovelace",
              proxyAddresses=["smtp:a.lovelace@example.com", "SMTP:ada@example.com", "x500:/o=x/cn=ada", "SIP:ada@example.com"])
    graph.put("users", "info", accountEnabled=False, assignedLicenses=[])
    graph.put("users", "leaver", accountEnabled=False)
    graph.put("users", "visitor", userType="Guest", mail="visitor@elsewhere.example")
    graph.put("users", "unmailed", mail=None)
    graph.put("users", "bob", userType=None)
    graph.put("users", "carol", mail="old@example.com", proxyAddresses=["SMTP:carol@example.com", "smtp:old@example.com"])
    graph.put("groups", "all", proxyAddresses=["SMTP:all@example.com", "smtp:everybody@example.com"])
    graph.put("groups", "security", mail=None, mailEnabled=False, securityEnabled=True)
    return graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """Only read from."""
    with fill(Graph(tmp_path_factory.mktemp("graph"), empty_pages=True, repeat=True)) as running:
        yield running


@pytest.fixture
def own(tmp_path):
    """A test's own, to be changed."""
    with fill(Graph(tmp_path / "graph")) as running:
        yield running


ALL = {"ada", "info", "leaver", "bob", "carol", "all"}


def names(got):
    return {address.partition("@")[0] for address in got.entries}


def test_users_and_groups_become_entries_over_empty_pages_and_repeated_objects(graph):
    got = complete(fetch(graph))
    assert names(got) == ALL
    ada = got.entries["ada@example.com"]
    assert ada["aliases"] == ["a.lovelace@example.com"] and ada["first_name"] == "Ada" and ada["last_name"] == "Lovelace"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ada["identity"]) and ada["name"] == "ada@example.com"
    kinds = {address: one["kind"] for address, one in got.entries.items()}
    assert kinds["ada@example.com"] == USER and kinds["info@example.com"] == SHARED and kinds["all@example.com"] == LIST
    assert got.entries["carol@example.com"]["aliases"] == ["old@example.com"]
    assert got.entries["all@example.com"]["aliases"] == ["everybody@example.com"]
    assert got.outcome["server"] == graph.url
    assert all(each.fields["Authorization"].startswith("Bearer ey") for each in graph.asked("/v1.0/"))


def test_choices_of_the_settings(graph):
    assert names(complete(fetch(graph, disabled="take_unlicensed"))) == ALL - {"leaver"}
    assert names(complete(fetch(graph, disabled="leave_out", groups=False))) == {"ada", "bob", "carol"}
    got = complete(fetch(graph, user_principal_names=True, exclude=["B?B@*", "everybody@*"]))
    assert names(got) == ALL - {"bob"} | {"unmailed"}
    assert got.entries["all@example.com"]["aliases"] == []


def test_changes_since_the_last_fetch_and_nothing_else(own):
    first = complete(fetch(own))
    identity = {address: one["identity"] for address, one in first.entries.items()}
    own.put("users", "ada", id=identity["ada@example.com"], mail="countess@example.com", proxyAddresses=["SMTP:countess@example.com"])
    own.put("users", "eve")
    own.put("users", "bob", id=identity["bob@example.com"], userType="Guest")
    own.remove("users", identity["carol@example.com"], "changed")
    own.remove("groups", identity["all@example.com"], "deleted")
    got = complete(fetch(own, cookie=first.outcome["cookie"]), whole=False)
    assert set(got.entries) == {"countess@example.com", "eve@example.com"} and got.restarts == 0
    assert got.entries["countess@example.com"]["identity"] == identity["ada@example.com"]
    assert set(got.gone) == {identity[f"{name}@example.com"] for name in ("bob", "carol", "all")}
    nothing = complete(fetch(own, cookie=got.outcome["cookie"]), whole=False)
    assert nothing.entries == {} and nothing.gone == [] and nothing.outcome["read"] == 0


def test_objects_that_are_told_in_part_are_asked_for(own):
    first = complete(fetch(own))
    own.put("users", "ada", id=first.entries["ada@example.com"]["identity"], proxyAddresses=["SMTP:ada@example.com", "smtp:new@example.com"])
    own.partial = True
    got = complete(fetch(own, cookie=first.outcome["cookie"]), whole=False)
    assert got.entries["ada@example.com"]["aliases"] == ["new@example.com"]
    assert len(own.asked(f"/v1.0/users/{first.entries['ada@example.com']['identity']}")) == 1


@pytest.mark.parametrize("answer", [
    Refused(410, {"error": {"code": "resyncRequired"}}, {"Location": "https://127.0.0.1/v1.0/users/delta?$deltatoken="}),
    Refused(410, ""),
    Refused(400, {"error": {"code": "syncStateNotFound", "message": "The sync state generation is not found. The delta token is expired."}}),
    Refused(404, {"error": {"code": "SyncStateNotFound"}}),
], ids=["410 with Location", "410", "400", "404"])
def test_a_delta_link_that_is_too_old_means_the_whole(own, answer):
    first = complete(fetch(own))
    own.expire(answer)
    got = complete(fetch(own, cookie=first.outcome["cookie"]))
    assert got.entries == first.entries and got.restarts == 1
    assert complete(fetch(own, cookie=got.outcome["cookie"]), whole=False).entries == {}


def test_links_that_expire_in_the_middle_begin_anew(own):
    own.fault("/v1.0/users/delta?$skiptoken", 410)
    assert names(complete(fetch(own))) == ALL


def test_busy_servers_and_cut_connections_are_borne(own):
    own.fault("/v1.0/users/delta?$select", 429, {"Retry-After": "2"}, json.dumps({"error": {"code": "TooManyRequests"}}))
    own.fault("/v1.0/users/delta?$skip", cut=40)
    own.fault("/v1.0/groups/delta", cut=0)  # libcurl itself asks again at once where a kept connection turns out to be closed
    own.fault(f"/{TENANT}/oauth2", 503)
    began = time.monotonic()
    got = complete(fetch(own))
    assert names(got) == ALL and time.monotonic() - began >= 2 + 1 + 1
    assert len(own.asked("/v1.0/groups/delta")) == 2


def test_without_a_retry_after_pauses_grow(own):
    own.fault("/v1.0/groups/delta", 429, times=1)
    own.fault("/v1.0/groups/delta", 500, times=1)
    began = time.monotonic()
    complete(fetch(own))
    assert time.monotonic() - began >= 3


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": 30}, {"cut": 0}, {"status": 200, "body": "{\"value\":["}],
                         ids=["503", "cut", "closed", "half a page"])
def test_what_goes_on_failing_is_partial_and_takes_nothing_away(own, fault):
    first = complete(fetch(own))
    own.put("users", "eve")
    own.fault("/v1.0/groups", times=1000, **fault)
    got = fetch(own, cookie=first.outcome["cookie"], fetch_timeout_s=3)
    assert got.outcome["end"] == "partial" and got.outcome["cookie"] == first.outcome["cookie"], got.outcome
    assert "fetch_timeout_s" in got.outcome["reason"]


def test_a_certificate_signs_in(own, tmp_path):
    certificate, key = rsa_certificate(tmp_path)
    secrets = {"client_key": key.read_text()}
    chosen = {"sign_in": "certificate", "client_certificate": certificate.read_text()}
    assert_failed(fetch(own, secrets=secrets, **chosen), "failed", "token", "AADSTS700027", "upload client_certificate")
    own.application_certificate = certificate
    assert names(complete(fetch(own, secrets=secrets, **chosen))) == ALL
    assert "client_secret" not in own.asked(f"/{TENANT}/oauth2")[-1].form
    steps = {each["name"]: each["detail"] for each in connect(own, secrets=secrets, **chosen).steps}
    assert re.search(r"by its certificate, which is good until 20\d\d-\d\d-\d\d", steps["token"])
    other = rsa_certificate(tmp_path, "other")[1].read_text()
    refused = ldap_fetch.fetch(own.settings(**chosen), program=PROGRAM, client_key=other)
    assert refused.error["member"] == "secrets" and "not the key of client_certificate" in refused.error["text"]


def test_failures_say_which_step_why_and_what_to_do(own, tmp_path):
    assert_failed(fetch(own, secrets={"client_secret": "wrong"}), "failed", "token", "AADSTS7000215", "the client secret is wrong")
    assert_failed(fetch(own, secrets={"client_secret": ""}), "failed", "token", "no secret client_secret")
    assert_failed(fetch(own, tenant="other.example"), "failed", "token", "AADSTS90002", "no such tenant")
    assert_failed(fetch(own, client_id="other"), "failed", "token", "AADSTS700016", "correct client_id")
    assert_failed(fetch(own, ca_certificates=Authority(tmp_path / "other", "Other CA").text), "failed", "TLS", "can't be trusted",
                  "ca_certificates")
    assert_failed(fetch(own, ca_certificates=""), "failed", "TLS", "can't be trusted")
    assert_failed(fetch(own, login_url=f"https://127.0.0.1:{free_port()}"), "failed", "TCP", "cannot connect to 127.0.0.1")
    assert_failed(fetch(own, login_url="https://name.invalid"), "failed", "name", "name.invalid does not resolve")
    assert_failed(fetch(own, login_url=own.url.replace("127.0.0.1", "127.0.0.2")), "failed", "TCP", "cannot connect")
    own.permissions = {"users"}
    assert_failed(fetch(own), "partial", "groups", "Authorization_RequestDenied", "GroupMember.Read.All")
    own.permissions = set()
    assert_failed(fetch(own), "failed", "users", "User.Read.All", "grant admin consent")


def test_a_certificate_for_another_name_is_refused(own):
    localhost = own.url.replace("127.0.0.1", "localhost")
    assert names(complete(fetch(own, login_url=localhost.replace("localhost", "127.0.0.1")))) == ALL
    got = fetch(own, graph_url=own.url.replace("127.0.0.1", "[::1]"))
    assert got.outcome["end"] == "failed"


def test_the_egress_policy_is_asked_before_every_connection(own):
    got = ldap_fetch.fetch(own.settings(), program=PROGRAM, denied="127.0.0.1", **own.secrets)
    assert_failed(got, "failed", "TCP", "egress policy does not allow connections to 127.0.0.1")
    assert own.requests == []


def test_links_never_lead_to_another_host(own, tmp_path):
    with Graph(tmp_path / "trap") as trap:
        trap.authority = own.authority
        own.link_to = trap.url
        assert_failed(fetch(own), "failed", "users", f"leads away from {own.url}")
        own.link_to = f"https://127.0.0.1:{own.port}@{trap.url.removeprefix('https://')}"
        assert_failed(fetch(own), "failed", "users", "leads away from")
        assert trap.requests == []


def test_a_proxy_is_used_and_does_not_see_the_token(own):
    with Proxy("postern", "pass word") as proxy:
        chosen = {"proxy": proxy.url, "proxy_user": "postern"}
        got = complete(fetch(own, secrets={**own.secrets, "proxy_password": "pass word"}, **chosen))
        assert names(got) == ALL and proxy.tunnels
        assert all("Bearer" not in head for head in proxy.heads)
        refused = fetch(own, secrets={**own.secrets, "proxy_password": "wrong"}, **chosen)
        assert_failed(refused, "failed", "proxy", "it answers 407", "proxy_password")


def test_a_test_of_the_connection_names_its_steps_and_shows_entries(own):
    got = connect(own)
    assert got.good
    assert [each["name"] for each in got.steps] == ["name", "TCP", "TLS", "token", "users", "groups", "changes"]
    assert all(each["outcome"] == "good" and each["server"] == own.url for each in got.steps), got.steps
    details = {each["name"]: each["detail"] for each in got.steps}
    assert details["users"] == "5 of the first 7 users have an address; 1 are guests, left out", details["users"]
    assert len(got.entries) == 5
    own.permissions = {"users"}
    failed = connect(own)
    assert not failed.good and failed.steps[-1]["name"] == "groups" and failed.steps[-1]["outcome"] == "bad"
    assert not connect(own, secrets={"client_secret": "wrong"}).good
    nobody = connect(own, exclude=["*"])
    assert not nobody.good and [each["outcome"] for each in nobody.steps if each["name"] == "users"] == ["bad"]


def test_a_pause_ends_with_the_stop(own):
    own.fault("/v1.0/users", 429, {"Retry-After": "300"})
    running = Running("fetch", own.settings(), program=PROGRAM, **own.secrets)
    end = time.monotonic() + 20
    while not own.asked("/v1.0/users"):
        assert time.monotonic() < end
        time.sleep(0.01)
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    got = running.finish()
    assert got.outcome["end"] == "stopped" and time.monotonic() - began < 60


def test_a_server_that_is_silent_is_given_up_and_a_stop_ends_it_at_once(own):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert_failed(fetch(own, login_url=url, connect_timeout_s=1, fetch_timeout_s=3), "failed", "TLS", "no TLS with 127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        running = Running("fetch", own.settings(login_url=url, connect_timeout_s=120), program=PROGRAM, **own.secrets)
        silent.settimeout(20)
        kept, _ = silent.accept()
        began = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.finish().outcome["end"] == "stopped" and time.monotonic() - began < 30


def test_secrets_are_never_told(own):
    done = subprocess.run([BIN / PROGRAM, "fetch"], input=json.dumps({"settings": own.settings(), "client_secret": SECRET}),
                          capture_output=True, text=True, timeout=60, check=False)
    told = done.stdout + done.stderr
    assert "complete" in told and SECRET not in told and all(token not in told for token in own.tokens)


def test_a_large_tenant(tmp_path, full, facts):
    people = 200_000 if full else 2_000
    with Graph(tmp_path / "graph", page_size=200) as graph:
        for number in range(people):
            graph.put("users", f"user{number}", id=f"00000000-0000-0000-0000-{number:012d}", proxyAddresses=[f"SMTP:user{number}@example.com"])
        began = time.monotonic()
        got = complete(fetch(graph))
        facts(f"{people:,} users in {time.monotonic() - began:.1f} s")
        assert len(got.entries) == people
