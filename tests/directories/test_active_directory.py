"""The LDAP source against a real Active Directory domain controller (Samba): DirSync, uSNChanged and whole fetches.

What Samba lacks of Exchange's schema is tested against slapd.
"""

import time

import pytest
from ldap_fetch import fetch, run
from samba import BASE, USERS, unit, user

MANY = 1600  # more values than Active Directory gives at once


@pytest.fixture(scope="module")
def dc(domain_controller):
    domain_controller.add(unit("Outside"))
    return domain_controller


def get(dc, cookie="", **changes):
    got = fetch(dc.settings(**changes), password=dc.password, prefix=dc.inside, cookie=cookie)
    assert got.outcome["end"] == "complete", got.outcome
    return got


def test_signing_in(dc):
    def failed(step, *words, password=dc.password, **changes):
        got = fetch(dc.settings(**changes), password=password, prefix=dc.inside)
        assert got.outcome["end"] == "failed" and got.outcome["step"] == step, got.outcome
        for each in words:
            assert each in got.outcome["reason"]

    failed("bind", "takes no password over an open connection", "starttls or ldaps", security="none")
    failed("bind", "is wrong", password="wrong")
    failed("base", "correct the base", base=f"OU=Nowhere,{BASE}")
    tested = run("test", dc.settings(security="starttls"), password=dc.password, prefix=dc.inside)
    # Nothing has a mail attribute yet, or whatever earlier tests left.
    assert [step["outcome"] for step in tested.steps][:5] == ["good"] * 5, tested.steps


def addresses(got):
    return {address: sorted(one["aliases"]) for address, one in got.entries.items()}


class Followed:
    """A list kept by changes alone, as a sync would keep it."""

    def __init__(self, dc, **changes):
        self.dc, self.changes = dc, changes
        first = get(dc, **changes)
        assert first.outcome["whole"] and first.outcome["cookie"]
        self.cookie = first.outcome["cookie"]
        self.objects = {one["identity"]: one for one in first.entries.values()}

    def catch_up(self, whole=False):
        got = get(self.dc, self.cookie, **self.changes)
        assert got.outcome["whole"] == whole, got.outcome
        if whole:
            assert got.restarts == 1
            self.objects = {}
        for identity in got.gone:
            self.objects.pop(identity, None)
        self.objects.update({one["identity"]: one for one in got.entries.values()})
        self.cookie = got.outcome["cookie"]
        return got

    def names(self):
        return {one["address"]: one["identity"] for one in self.objects.values()}

    def same_as_whole(self):
        whole = get(self.dc, **{**self.changes, "changes": "none"})
        key = lambda one: (one["address"], sorted(one["aliases"]), one["kind"], one["name"])
        assert {one["identity"]: key(one) for one in whole.entries.values()} == {name: key(one) for name, one in self.objects.items()}


@pytest.mark.parametrize("method", ["dirsync", "usn"])
def test_changes_since_the_last_fetch(dc, method):
    ou = f"OU={method},{BASE}"
    dc.add(unit(method) + "".join(user(f"{method}{number}", ou, proxyAddresses=[f"smtp:{method}{number}.alias@example.com"]) for number in range(8)))
    kept = Followed(dc, changes=method)
    before = kept.names()
    nothing = kept.catch_up()
    assert not nothing.entries, nothing.entries

    def name(number):
        return f"CN={method}{number},{ou}"

    dc.modify(f"""dn: {name(0)}
changetype: modify
replace: mail
mail: {method}0.new@example.com

dn: {name(1)}
changetype: delete

dn: {name(2)}
changetype: modify
delete: mail

dn: {name(3)}
changetype: modify
replace: userAccountControl
userAccountControl: 546

dn: {name(4)}
changetype: modify
delete: proxyAddresses
proxyAddresses: smtp:{method}4.alias@example.com

dn: {name(5)}
changetype: modify
add: proxyAddresses
proxyAddresses: smtp:{method}4.alias@example.com

dn: {name(6)}
changetype: moddn
newrdn: CN={method}6
deleteoldrdn: 1
newsuperior: OU=Staff,{BASE}
""")
    dc.add(user(f"{method}9", ou))
    got = kept.catch_up()
    after = kept.names()
    assert after[f"{method}0.new@example.com"] == before[f"{method}0@example.com"], "the same object"
    assert f"{method}1@example.com" not in after and f"{method}2@example.com" not in after and f"{method}9@example.com" in after
    assert f"{method}3@example.com" in after, "disabled accounts are left out by choice only"
    assert after[f"{method}6@example.com"] == before[f"{method}6@example.com"], "moved"
    assert {before[f"{method}1@example.com"], before[f"{method}2@example.com"]} <= set(got.gone)
    kept.same_as_whole()
    # A renamed OU changes none of its objects, and none is lost.
    dc.modify(f"dn: {ou}\nchangetype: moddn\nnewrdn: OU={method}-renamed\ndeleteoldrdn: 1\n")
    got = kept.catch_up()
    assert not got.restarts and set(kept.names()) == set(after)
    assert got.entries[f"{method}0.new@example.com"]["name"] == f"CN={method}0,OU={method}-renamed,{BASE}"
    kept.same_as_whole()


@pytest.mark.parametrize("method", ["dirsync", "usn"])
def test_moves_over_the_border_of_the_base(dc, method):
    dc.add(unit(f"border-{method}", USERS) + user(f"in-{method}", f"OU=border-{method},{USERS}") + user(f"out-{method}", f"OU=Outside,{BASE}"))
    kept = Followed(dc, changes=method, base=USERS)
    assert f"in-{method}@example.com" in kept.names() and f"out-{method}@example.com" not in kept.names()
    dc.modify(f"dn: CN=out-{method},OU=Outside,{BASE}\nchangetype: moddn\nnewrdn: CN=out-{method}\ndeleteoldrdn: 1\nnewsuperior: {USERS}\n")
    kept.catch_up()
    assert f"out-{method}@example.com" in kept.names()
    # The OU leaves the base with its people, who are not changed: only the whole can tell.
    dc.modify(f"dn: OU=border-{method},{USERS}\nchangetype: moddn\nnewrdn: OU=border-{method}\ndeleteoldrdn: 1\nnewsuperior: OU=Outside,{BASE}\n")
    kept.catch_up(whole=True)
    assert f"in-{method}@example.com" not in kept.names()
    kept.same_as_whole()
    # And back: what is below it now is read again.
    dc.modify(f"dn: OU=border-{method},OU=Outside,{BASE}\nchangetype: moddn\nnewrdn: OU=border-{method}\ndeleteoldrdn: 1\nnewsuperior: {USERS}\n")
    kept.catch_up()
    assert f"in-{method}@example.com" in kept.names()
    kept.same_as_whole()


def test_an_ordinary_account_sees_no_deletions_and_reads_the_whole(dc):
    dc.create_account("reader")
    dc.add(user("ordinary"))
    first = get(dc, bind_name="reader@example.com")
    assert "ordinary@example.com" in first.entries and first.outcome["cookie"] == ""
    for method in ("dirsync", "usn"):
        refused = fetch(dc.settings(bind_name="reader@example.com", changes=method), password=dc.password, prefix=dc.inside)
        assert refused.outcome["end"] == "failed" and refused.outcome["step"] == "changes", refused.outcome
        assert "deletions would be missed" in refused.outcome["reason"]


def test_more_values_than_fit_in_one_answer(dc):
    dc.add(user("many", proxyAddresses=[f"smtp:many{number}@example.com" for number in range(MANY)]))
    assert len(get(dc, changes="none").entries["many@example.com"]["aliases"]) == MANY


def test_size(dc, full, facts):
    count = 10_000 if full else 200
    ou = f"OU=Size,{BASE}"
    began = time.monotonic()
    dc.add(unit("Size") + "".join(user(f"size{number:05d}", ou, proxyAddresses=[f"smtp:s{number}@example.com"]) for number in range(count)))
    added = time.monotonic() - began
    words = []
    for method in ("none", "dirsync", "usn"):
        start = time.monotonic()
        first = get(dc, base=ou, changes=method)
        words.append(f"{method}: whole {time.monotonic() - start:.1f} s")
        assert len(first.entries) == count
        if method != "none":
            dc.modify("".join(f"dn: CN=size{number:05d},{ou}\nchangetype: modify\nreplace: sn\nsn: {method}\n\n" for number in range(count // 100)))
            start = time.monotonic()
            got = get(dc, first.outcome["cookie"], base=ou, changes=method)
            words[-1] += f", 1 % changed {time.monotonic() - start:.2f} s"
            assert len(got.entries) == count // 100 and not got.outcome["whole"] and not got.gone
    facts(f"{count:,} users in Samba (added in {added:.0f} s): {'; '.join(words)}")
