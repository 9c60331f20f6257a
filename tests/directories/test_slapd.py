"""The LDAP source against a real slapd: whole and incremental fetches, following, and what failures say."""

import json
import re
import time

import pytest
from certificates import Authority
from ldap_fetch import Running, fetch, run
from postern import free_port
from tcp_relay import Relay
from slapd import ACCOUNT, ADMIN, BASE, PASSWORD, Slapd, entry, people, person

SHARED, USER, LIST, RESOURCE = 1, 0, 3, 2


def get(server, cookie="", **changes):
    return fetch(server.settings(**changes), password=PASSWORD, cookie=cookie)


def complete(got):
    assert got.outcome["end"] == "complete", got.outcome
    return got


def assert_failed(got, end, step, *words):
    """Nothing that a sync could apply, with the reason and the remedy in words."""
    assert got.outcome["end"] == end and got.outcome["step"] == step, got.outcome
    for each in words:
        assert each in got.outcome["reason"], got.outcome["reason"]
    assert "; " in got.outcome["reason"] or ": " in got.outcome["reason"]
    assert got.outcome["cookie"] == ""


EXAMPLES = (
    person("ada", givenName="Ada", proxyAddresses=["smtp:a.lovelace@example.com", "SMTP:ada@example.com", "x500:/o=x/cn=ada"])
    + person("info", proxyAddresses=["SMTP:info@example.com"], msExchRecipientTypeDetails="4", userAccountControl="514")
    + person("room", msExchRecipientTypeDetails="16", userAccountControl="514")
    + person("gone", userAccountControl="514")
    + person("board", msExchRequireAuthToSendTo="TRUE", msExchRecipientTypeDetails="256")
    + person("search", msExchRecipientTypeDetails="536870912")
    + entry(f"cn=all,ou=people,{BASE}", ["groupOfNames", "mailThing"], cn="all", member=ADMIN, mail="all@example.com")
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Only read from."""
    with Slapd(tmp_path_factory.mktemp("slapd"), EXAMPLES) as running:
        yield running


def test_objects_become_entries(server):
    got = complete(get(server, list_value="groupOf*"))
    assert set(got.entries) == {f"{name}@example.com" for name in ("ada", "info", "room", "gone", "board", "all")}
    ada = got.entries["ada@example.com"]
    assert ada["aliases"] == ["a.lovelace@example.com"] and ada["first_name"] == "Ada" and ada["last_name"] == "Ada"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ada["identity"])
    assert ada["name"] == f"cn=ada,ou=people,{BASE}"
    kinds = {address: one["kind"] for address, one in got.entries.items()}
    assert kinds["info@example.com"] == SHARED and kinds["room@example.com"] == RESOURCE
    assert kinds["all@example.com"] == LIST and kinds["board@example.com"] == LIST and kinds["ada@example.com"] == USER
    assert got.entries["board@example.com"]["internal_only"] and not ada["internal_only"]
    assert got.outcome["whole"] and got.outcome["read"] == 7 and got.outcome["left_out"] == 1
    assert got.outcome["server"] == f"ldaps://127.0.0.1:{server.tls_port}"


def test_disabled_accounts_are_left_out_by_choice_and_shared_mailboxes_never(server):
    got = complete(get(server, exclude_disabled=True, exclude=["ROOM@*"]))
    assert "gone@example.com" not in got.entries and "room@example.com" not in got.entries
    assert "info@example.com" in got.entries


@pytest.mark.parametrize("way", [{"security": "starttls"}, {"security": "none"}, {"page_size": 2, "changes": "none"}])
def test_every_way_in_gives_the_same(server, way):
    if "security" in way:
        way = {**way, "servers": [f"127.0.0.1:{server.port}"]}
    assert complete(get(server, **way)).entries == complete(get(server)).entries


def test_a_client_certificate_signs_in(tmp_path):
    directives = f"TLSVerifyClient allow\nauthz-regexp .*cn=machine.* {ACCOUNT}"
    with Slapd(tmp_path, person("ada"), directives) as running:
        certificate, key = running.authority.issue("machine")
        got = fetch(running.settings(sign_in="certificate", bind_name="", client_certificate=certificate.read_text()),
                    client_key=key.read_text())
        assert set(complete(got).entries) == {"ada@example.com"}


CHANGES = f"""dn: cn=ada,ou=people,{BASE}
changetype: modify
replace: mail
mail: countess@example.com

dn: ou=people,{BASE}
changetype: moddn
newrdn: ou=humans
deleteoldrdn: 1

dn: cn=info,ou=humans,{BASE}
changetype: modify
replace: userAccountControl
userAccountControl: 546

dn: cn=room,ou=humans,{BASE}
changetype: delete

dn: cn=board,ou=humans,{BASE}
changetype: modify
delete: mail

dn: cn=gone,ou=humans,{BASE}
changetype: modify
add: proxyAddresses
proxyAddresses: smtp:a.lovelace@example.com

dn: cn=new,ou=staff,{BASE}
changetype: add
objectClass: inetOrgPerson
objectClass: mailThing
cn: new
sn: New
mail: new@example.com

dn: cn=all,ou=humans,{BASE}
changetype: moddn
newrdn: cn=all
deleteoldrdn: 0
newsuperior: ou=staff,{BASE}
"""
MOVE = f"""dn: cn=ada,ou=people,{BASE}
changetype: modify
delete: proxyAddresses
proxyAddresses: smtp:a.lovelace@example.com
"""


def test_changes_since_the_last_fetch(tmp_path):
    with Slapd(tmp_path, EXAMPLES) as server:
        first = complete(get(server))
        identities = {address: one["identity"] for address, one in first.entries.items()}
        nothing = complete(get(server, first.outcome["cookie"]))
        assert not nothing.outcome["whole"] and not nothing.entries and not nothing.gone and not nothing.restarts
        server.modify(MOVE + "\n" + CHANGES)
        got = complete(get(server, nothing.outcome["cookie"]))
        assert not got.outcome["whole"] and not got.restarts
        by_identity = {one["identity"]: one for one in got.entries.values()}
        assert by_identity[identities["ada@example.com"]]["address"] == "ada@example.com", "SMTP: is what Exchange calls primary"
        assert by_identity[identities["ada@example.com"]]["aliases"] == ["countess@example.com"]
        assert "a.lovelace@example.com" in by_identity[identities["gone@example.com"]]["aliases"]
        assert by_identity[identities["info@example.com"]]["kind"] == SHARED
        assert by_identity[identities["all@example.com"]]["name"] == f"cn=all,ou=staff,{BASE}"
        assert "new@example.com" in got.entries
        assert sorted(set(got.gone) & set(identities.values())) == sorted([identities["room@example.com"], identities["board@example.com"]])
        # What the changes lead to is what a whole fetch finds.
        whole = complete(get(server)).entries
        state = {one["identity"]: one for one in first.entries.values()} | by_identity
        for identity in got.gone:
            state.pop(identity, None)
        expected = {one["identity"]: (one["address"], sorted(one["aliases"])) for one in whole.values()}
        assert {identity: (one["address"], sorted(one["aliases"])) for identity, one in state.items()} == expected


def test_a_server_without_a_log_of_deletions_is_read_whole(tmp_path):
    with Slapd(tmp_path, EXAMPLES, session_log=False) as server:
        first = complete(get(server))
        server.modify(f"dn: cn=room,ou=people,{BASE}\nchangetype: delete\n")
        got = complete(get(server, first.outcome["cookie"]))
        assert got.outcome["whole"] and got.restarts == 1
        assert set(got.entries) == set(first.entries) - {"room@example.com"}


def test_changed_settings_make_the_cookie_void(server):
    first = complete(get(server))
    got = complete(get(server, first.outcome["cookie"], exclude=["ada@*"]))
    assert got.outcome["whole"] and got.restarts == 1 and "ada@example.com" not in got.entries
    assert complete(get(server, "nonsense")).outcome["whole"]
    assert complete(get(server, first.outcome["cookie"], changes="none")).outcome["cookie"] == ""


def test_following_yields_changes_as_they_happen(tmp_path):
    with Slapd(tmp_path, EXAMPLES) as server:
        following = Running("follow", server.settings(persist=True), password=PASSWORD)
        got = following.wait_for(lambda one: "batch" in one)
        assert len(got.entries) == 6 and got.batches[-1]["whole"]
        server.modify(f"dn: cn=room,ou=people,{BASE}\nchangetype: delete\n")
        following.wait_for(lambda one: "gone" in one)
        got = following.wait_for(lambda one: "batch" in one)
        assert got.gone == [got.entries["room@example.com"]["identity"]] and not got.batches[-1]["whole"]
        following.process.terminate()
        got = following.finish()
        assert got.outcome["end"] == "stopped"
        # And on from where it ended.
        server.modify(f"dn: cn=ada,ou=people,{BASE}\nchangetype: modify\nreplace: sn\nsn: King\n")
        following = Running("follow", server.settings(persist=True), password=PASSWORD, cookie=got.batches[-1]["cookie"])
        got = following.wait_for(lambda one: "batch" in one)
        assert set(got.entries) == {"ada@example.com"} and not got.batches[-1]["whole"] and not got.restarts
        server.kill()
        assert following.finish().outcome["end"] == "partial"


# What must never remove anything.

def test_killed_in_the_middle_of_a_page(tmp_path):
    with Slapd(tmp_path, people(300)) as server:
        for way in ({"changes": "none", "page_size": 100}, {"changes": "auto"}):
            fetching = Running("fetch", server.settings(**way), password=PASSWORD, hold=150)
            fetching.wait_for(lambda one: "holding" in one)
            server.kill()
            fetching.go_on()
            got = fetching.finish()
            if way["changes"] == "none":
                assert_failed(got, "partial", "search", "the connection was cut")
                assert len(got.entries) < 300
            else:
                # Without pages all may have been on its way already; what is not complete must say so.
                assert got.outcome["end"] == "partial" or len(got.entries) == 300
            server.start()


def test_half_of_the_tree_hidden_looks_complete_and_is_smaller(tmp_path):
    acl = f'limits dn.exact="{ACCOUNT}" size=unlimited\naccess to dn.subtree="ou=staff,{BASE}" by * none\naccess to * by * read'
    with Slapd(tmp_path, person("ada") + person("bob", "ou=staff"), database=acl) as server:
        got = complete(get(server))
        assert set(got.entries) == {"ada@example.com"}, "the protocol can't tell: the guard's limits have to hold it"


def test_an_empty_base_is_complete_and_empty(server):
    got = complete(get(server, base=f"ou=staff,{BASE}"))
    assert got.entries == {} and got.outcome["read"] == 0


def test_a_base_that_is_not_there(server):
    assert_failed(get(server, base=f"ou=nowhere,{BASE}"), "failed", "base", "there is no such object", "correct the base")
    assert_failed(get(server, base=f"ou=nowhere,{BASE}", changes="none"), "failed", "base", "there is no such object")


@pytest.mark.parametrize("changes", ["auto", "none", "syncrepl"])
def test_a_size_limit(tmp_path, changes):
    with Slapd(tmp_path, people(60), database="sizelimit size.soft=20 size.hard=50 size.pr=10 size.prtotal=50") as server:
        got = get(server, changes=changes, page_size=10)
        assert_failed(got, "partial", "search", "size limit", "raise the limit")


def test_a_referral_is_not_followed(tmp_path):
    referral = entry(f"ou=other,{BASE}", ["referral", "extensibleObject"], ou="other", ref="ldap://elsewhere.example.com/ou=other,dc=example,dc=com")
    with Slapd(tmp_path, person("ada") + referral) as server:
        got = get(server, changes="none")
        assert_failed(got, "partial", "search", "another server holds a part of the tree", "elsewhere.example.com", "ignore_referrals")
        assert set(complete(get(server, changes="none", ignore_referrals=True)).entries) == {"ada@example.com"}


def test_a_wrong_password_is_tried_once(server):
    settings = server.settings(servers=[f"127.0.0.1:{server.tls_port}"] * 3)
    got = fetch(settings, password="wrong")
    assert_failed(got, "failed", "bind", f"cannot sign in as {ACCOUNT}", "the name or the password is wrong")
    assert got.outcome["reason"].count("cannot sign in") == 1
    assert_failed(fetch(settings, password=""), "failed", "bind", "there is no password")


def test_an_expired_certificate(tmp_path):
    with Slapd(tmp_path, person("ada"), expired=True) as server:
        assert_failed(get(server), "failed", "TLS", "expired", "renew it")
        assert_failed(get(server, security="starttls", servers=[f"127.0.0.1:{server.port}"]), "failed", "TLS", "expired")


def test_certificates_that_prove_nothing(server, tmp_path):
    other = Authority(tmp_path, "Other CA")
    assert_failed(get(server, ca_certificates=other.text), "failed", "TLS", "Test CA", "not trusted", "ca_certificates")
    assert_failed(get(server, ca_certificates=""), "failed", "TLS", "not trusted")
    assert_failed(get(server, servers=[f"localhost:{server.tls_port}"]), "failed", "TLS", "not for localhost")


def test_a_name_that_does_not_resolve(server):
    got = get(server, servers=["dc1.nowhere.invalid"], connect_timeout_s=3)
    assert_failed(got, "failed", "name", "dc1.nowhere.invalid does not resolve")


def test_nobody_listens(server):
    assert_failed(get(server, servers=[f"127.0.0.1:{free_port()}"]), "failed", "TCP", "Connection refused", "see whether the server runs")


@pytest.fixture
def silent():
    made = []

    def make(*words, **options):
        made.append(Relay(*words, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("security,step", [("ldaps", "TLS"), ("starttls", "TLS"), ("none", "bind")])
def test_an_answer_that_never_comes(server, silent, security, step):
    began = time.monotonic()
    got = get(server, servers=[f"127.0.0.1:{silent().port}"], security=security, connect_timeout_s=1)
    assert got.outcome["end"] == "failed" and got.outcome["step"] == step, got.outcome
    assert time.monotonic() - began < 30


def test_an_answer_that_ends_in_the_middle_of_a_message(tmp_path, silent):
    with Slapd(tmp_path, people(300)) as server:
        relay = silent(server.port, octets=20_001)
        began = time.monotonic()
        got = get(server, servers=[f"127.0.0.1:{relay.port}"], security="none", changes="none", answer_timeout_s=2)
        assert_failed(got, "partial", "search", "did not answer in time")
        assert 0 < len(got.entries) < 300 and time.monotonic() - began < 30


@pytest.mark.parametrize("where", ["TLS", "search"])
def test_stopping_is_prompt_wherever_it_waits(server, silent, where):
    relay = silent() if where == "TLS" else silent(server.port, octets=300)
    security = "ldaps" if where == "TLS" else "none"
    fetching = Running("fetch", server.settings(servers=[f"127.0.0.1:{relay.port}"], security=security, connect_timeout_s=60, answer_timeout_s=60),
                       password=PASSWORD)
    end = time.monotonic() + 10
    while not relay.kept and time.monotonic() < end:
        time.sleep(0.01)
    began = time.monotonic()
    fetching.process.terminate()
    assert fetching.finish().outcome["end"] == "stopped"
    assert time.monotonic() - began < 30


def test_the_next_server_takes_over(server, silent):
    servers = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{silent().port}", f"127.0.0.1:{server.tls_port}"]
    got = complete(get(server, servers=servers, connect_timeout_s=1))
    assert len(got.entries) == 6 and got.outcome["server"].endswith(str(server.tls_port))
    got = get(server, servers=servers[:2], connect_timeout_s=1)
    assert got.outcome["end"] == "failed" and servers[0] in got.outcome["reason"] and servers[1] in got.outcome["reason"]


# The button.

def steps(got):
    return {step["name"]: (step["outcome"], step["detail"]) for step in got.steps}


def test_the_test_of_a_connection_shows_its_steps_and_five_entries(server):
    got = run("test", server.settings(), password=PASSWORD)
    assert got.good and [step["name"] for step in got.steps] == ["name", "TCP", "TLS", "bind", "base", "filter", "attributes", "changes"]
    assert all(step["outcome"] == "good" for step in got.steps) and len(got.entries) == 5
    assert "found 7 objects" in steps(got)["filter"][1] and "RFC 4533" in steps(got)["changes"][1]


@pytest.mark.parametrize("change,step,words", [
    ({"servers": ["dc1.nowhere.invalid"]}, "name", "does not resolve"),
    ({"ca_certificates": ""}, "TLS", "not trusted"),
    ({"bind_name": f"cn=nobody,{BASE}"}, "bind", "wrong"),
    ({"base": f"ou=nowhere,{BASE}"}, "base", "correct the base"),
    ({"filter": "(mail=nobody@*)"}, "filter", "passes the filter"),
    ({"filter": "(&(mail=*)(cn>=))"}, "filter", ""),
    ({"mail_attribute": "telephoneNumber", "alias_attributes": []}, "attributes", "correct the attributes"),
    ({"changes": "dirsync"}, "changes", "does not announce dirsync"),
])
def test_the_test_of_a_connection_names_the_step_that_failed(server, change, step, words):
    got = run("test", server.settings(**change), password=PASSWORD)
    assert not got.good and got.steps[-1]["name"] == step and got.steps[-1]["outcome"] == "bad", got.steps
    assert words in got.steps[-1]["detail"]


def test_wrong_settings_are_named(server):
    got = fetch(server.settings(page_size=0), password=PASSWORD)
    assert got.error["member"] == "page_size", json.dumps(got.error)


def test_size(tmp_path, full, facts):
    count = 100_000 if full else 2_000
    began = time.monotonic()
    with Slapd(tmp_path, people(count)) as server:
        loaded = time.monotonic() - began

        def timed(cookie="", **changes):
            start = time.monotonic()
            return complete(get(server, cookie, **changes)), time.monotonic() - start

        paged, paged_seconds = timed(changes="none")
        assert len(paged.entries) == count
        whole, whole_seconds = timed()
        assert len(whole.entries) == count
        server.modify("".join(f"dn: cn=user{number:06d},ou=people,{BASE}\nchangetype: modify\nreplace: sn\nsn: Changed\n\n"
                              for number in range(count // 100)))
        changed, changed_seconds = timed(whole.outcome["cookie"])
        assert len(changed.entries) == count // 100 and not changed.outcome["whole"]
        facts(f"{count:,} people in slapd (loaded in {loaded:.1f} s): whole in pages {paged_seconds:.1f} s, whole by RFC 4533 {whole_seconds:.1f} s, "
              f"1 % changed {changed_seconds:.2f} s")
