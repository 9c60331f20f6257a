"""Tenants over posternctl alone: a reseller's customer claims a domain and proves it by a real DNS record, keeps its list by hand, and sees nothing of
others; the operator imports on its behalf; replacing a list is held by the guard."""

import subprocess

from nameserver import Nameserver
from smtp import rcpt_reply
from system import System


def token_file(folder, control, name, *scope, role="admin"):
    path = folder / f"{name}.token"
    path.write_text(control.ctl("token", "add", name, "--role", role, *scope))
    return path


def organisation(control, name, *options):
    control.ctl("organisation", "add", name, *options)
    return next(each["id"] for each in control.ctl_json("organisation", "list") if each["name"] == name)


def paste(control, text, *options, token=None):
    return subprocess.run(control.ctl_command("mailbox", "paste", *options, token_file=token), input=text, capture_output=True, text=True, timeout=60, check=False)


def test_a_domain_is_served_once_dns_says_that_it_is_its_tenants(tmp_path, port_network):
    with Nameserver(tmp_path) as dns, System(tmp_path, network=port_network, control={
            "dns": {"servers": [dns.address], "here": ["mx.edge.example", "192.0.2.10"]}}) as system:
        control = system.control
        control.ctl("--wait", "domain", "add", "operator.example")
        organisation(control, "Reseller", "--reseller")
        customer = organisation(control, "Acme", "--parent", "Reseller")
        acme = token_file(tmp_path, control, "acme", "--organisation", customer)

        def ctl(*words):
            return control.try_ctl(*words, token_file=acme)

        refused = ctl("domain", "add", "acme.example")
        assert refused.returncode == 4 and "domain-claims" in refused.stderr, refused.stderr
        claimed = ctl("domain", "claim", "add", "acme.example")
        assert claimed.returncode == 0, claimed.stderr
        record = next(line for line in claimed.stdout.splitlines() if "IN TXT" in line)
        value = record.split('"')[1]
        assert record.startswith("_postern.acme.example. ")

        # No record, then another one, then the right one among others, in two strings.
        for records, told in (([], "there is no TXT record"), (["--txt-record=_postern.acme.example,postern=wrong"], '"postern=wrong"')):
            dns.records = records
            dns.restart()
            said = ctl("domain", "claim", "check", "acme.example")
            assert said.returncode == 1 and told in said.stdout, (said.stdout, said.stderr)
            assert rcpt_reply(system.smtp, "alice@acme.example").startswith("550 5.7.1"), "not served before it is proven"
        dns.records = ["--txt-record=_postern.acme.example,v=else", f"--txt-record=_postern.acme.example,{value[:10]},{value[10:]}",
                       "--mx-host=acme.example,mx.edge.example,10", "--mx-host=acme.example,mx.elsewhere.example,20",
                       "--host-record=mx.elsewhere.example,192.0.2.99"]
        dns.restart()
        said = ctl("domain", "claim", "check", "acme.example")
        assert said.returncode == 0 and "proven" in said.stdout, (said.stdout, said.stderr)
        assert control.ctl_json("domain", "show", "acme.example")["proven"] == "dns"
        assert "proven" in control.ctl("history", "--domain", "acme.example")

        # Whether its mail comes here: by name, by address, and not.
        said = ctl("domain", "mx", "acme.example")
        assert said.returncode == 1 and "1 of 2 hosts" in said.stdout, (said.stdout, said.stderr)
        dns.records = ["--mx-host=acme.example,mx.edge.example,10", "--mx-host=acme.example,mx2.acme.example,20", "--host-record=mx2.acme.example,192.0.2.10"]
        dns.restart()
        said = ctl("domain", "mx", "acme.example")
        assert said.returncode == 0 and "comes here" in said.stdout, (said.stdout, said.stderr)
        dns.stop()
        said = ctl("domain", "mx", "acme.example")
        assert said.returncode == 1 and "could not be asked" in said.stdout, (said.stdout, said.stderr)

        # Somebody else's claim of the same name does not get it, and the operator's grant needs no DNS.
        rival = organisation(control, "Rival")
        other = token_file(tmp_path, control, "rival", "--organisation", rival)
        assert control.try_ctl("domain", "claim", "add", "acme.example", token_file=other).returncode == 0
        assert control.try_ctl("domain", "show", "acme.example", token_file=other).returncode == 1
        assert control.try_ctl("domain", "claim", "grant", "acme.example").returncode == 1
        control.ctl("domain", "claim", "add", "rival.example", "--organisation", rival)
        control.ctl("domain", "claim", "grant", "rival.example")
        assert control.try_ctl("domain", "show", "rival.example", token_file=other).returncode == 0
        assert "rival.example" not in ctl("domain", "list").stdout


def test_a_list_by_hand_from_paste_to_reassignment(tmp_path):
    with System(tmp_path) as system:
        control = system.control
        control.ctl("domain", "add", "example.com")
        text = 'Alice Archer <alice@example.com>, "Baker, Bob" <bob@example.com>; carol@example.com\nalice@EXAMPLE.com nobody@elsewhere.example x@@y'
        seen = paste(control, text, "--domain", "example.com", "--group", "Sales", "--preview")
        assert seen.returncode == 5 and "new: 3, known: 0, duplicates: 1, invalid: 2" in seen.stdout, (seen.stdout, seen.stderr)
        assert 'invalid line 2, column 19: "nobody@elsewhere.example"' in seen.stdout
        assert control.ctl_json("mailbox", "list") == []
        strict = paste(control, text, "--domain", "example.com", "--strict", "--yes")
        assert strict.returncode == 1 and control.ctl_json("mailbox", "list") == []
        assert paste(control, text, "--domain", "example.com", "--group", "Sales", "--yes").returncode == 5
        added = control.ctl_json("mailbox", "list", "--group", "Sales")
        assert [(each["address"], each["first_name"], each["last_name"]) for each in added] == [
            ("alice@example.com", "Alice", "Archer"), ("bob@example.com", "Bob", "Baker"), ("carol@example.com", "", "")]
        assert paste(control, "dave erin", "--domain", "example.com", "--yes").returncode == 0
        assert "is a mailbox in the list" in paste(control, "dave", "--domain", "example.com", "--preview").stdout

        # Bob leaves; his mail, and that of his alias, goes to Alice.
        control.ctl("alias", "add", "b.baker@example.com", "bob@example.com")
        control.ctl("--wait", "mailbox", "reassign", "bob@example.com", "--to", "alice@example.com")
        alice = control.ctl_json("mailbox", "show", "alice@example.com")
        assert sorted(alice["aliases"]) == ["b.baker@example.com", "bob@example.com"]
        assert control.ctl_json("explain", "bob@example.com")["valid"] is True
        assert "reassigned" in control.ctl("history", "--address", "bob@example.com")

        # Kinds, and what is billed: four users, one of them made a shared mailbox.
        assert control.ctl_json("billable")[0]["billable"] == 4
        control.ctl("mailbox", "edit", "carol@example.com", "--kind", "shared")
        bill = control.ctl_json("billable", "--by", "domain")[0]
        assert (bill["billable"], bill["mailboxes"]["user"], bill["mailboxes"]["shared"]) == (3, 3, 1)
        metrics = control.good("GET", "/metrics")
        assert 'postern_billable_mailboxes{organisation="1",name="default"} 3' in metrics

        # Blocked, listed or not, and lifted; what was valid when.
        before = control.ctl_json("explain", "dave@example.com")["last"]["at"]
        control.ctl("mailbox", "block", "dave@example.com", "spam@example.com", "b.baker@example.com")
        assert [control.ctl_json("explain", address)["valid"] for address in ("dave@example.com", "spam@example.com", "b.baker@example.com")] == [False] * 3
        assert control.ctl_json("explain", "dave@example.com", "--at", before)["valid"] is True
        control.ctl("mailbox", "lift", "dave@example.com", "spam@example.com", "b.baker@example.com")
        assert [control.ctl_json("explain", address)["valid"] for address in ("dave@example.com", "spam@example.com", "b.baker@example.com")] == [True, False, True]


def test_a_replacement_beyond_the_limits_waits_for_a_person(tmp_path):
    with System(tmp_path) as system:
        control = system.control
        customer = organisation(control, "Acme")
        control.ctl("domain", "add", "acme.example", "--organisation", customer)
        addresses = [f"user{number}@acme.example" for number in range(40)]
        # By the operator, on the customer's behalf: the customer sees the import and the list.
        system.import_list("acme.example", addresses)
        acme = token_file(tmp_path, control, "acme", "--organisation", customer)
        assert len(control.try_ctl("imports", "list", token_file=acme).stdout.splitlines()) == 2

        def valid():
            return control.ctl_json("domain", "show", "acme.example")["counts"]["mailboxes"]

        def replace(rows, *options):
            file = tmp_path / "list.csv"
            file.write_text("email\n" + "".join(f"{each}\n" for each in rows))
            return control.try_ctl("import", file, "--domain", "acme.example", "--replace", "--yes", *options, token_file=acme)

        assert replace(addresses[:37]).returncode == 0 and valid() == 37, "within the limits"
        held = replace([*addresses[:30], "new@acme.example"])
        assert held.returncode == 1 and "7 removals wait" in held.stdout, (held.stdout, held.stderr)
        assert valid() == 38, "what is new is valid, nothing is gone"
        name = control.ctl_json("imports", "list")[0]["id"]
        assert control.try_ctl("imports", "discard", name, token_file=acme).returncode == 0
        assert valid() == 38
        assert replace([*addresses[:30], "new@acme.example"], "--confirm-removals", "6").returncode == 1 and valid() == 38
        assert control.try_ctl("imports", "approve", control.ctl_json("imports", "list")[0]["id"], token_file=acme).returncode == 0
        assert valid() == 31
        assert replace([*addresses[:15], "new@acme.example"], "--confirm-removals", "15").returncode == 0 and valid() == 16
        empty = replace(["nobody@elsewhere.example"], "--confirm-removals", "16")
        assert empty.returncode == 1 and "no usable address" in empty.stdout, (empty.stdout, empty.stderr)
        assert valid() == 16
