"""The programs postern-control and posternctl as a whole: starting, refusing to start, the API over HTTP and TLS, imports, ending."""

import json
import os
import signal
import socket
import stat
import subprocess
import threading

import pytest
from lib.control import Control, serve_domain
from lib.downstream import ScriptedServer, wait_until
from lib.postern import BIN, Edge, free_port
from lib.smtp import Client


@pytest.fixture
def control(tmp_path):
    with Control(tmp_path) as running:
        yield running


@pytest.fixture
def domain(control):
    """A control that serves example.com."""
    control.ctl("domain", "add", "example.com")
    return control


def write_csv(folder, rows, name="list.csv"):
    path = folder / name
    path.write_text("email,first_name\n" + "".join(f"{row}\n" for row in rows))
    return path


# Starting and ending

def test_the_first_token_is_in_a_file_of_its_owner_and_works(control):
    assert stat.S_IMODE(control.token_file.stat().st_mode) == 0o600
    assert control.request("GET", "/v1/status")[0] == 200
    assert control.token not in control.log_text()


def test_the_token_file_is_left_alone_at_the_next_start(control):
    token = control.token
    assert control.stop() == 0
    control.start()
    assert control.token == token
    assert control.request("GET", "/v1/status")[0] == 200


def test_what_was_added_is_there_after_kill(domain):
    domain.add("alice@example.com")
    domain.kill()
    domain.start()
    assert domain.good("GET", "/v1/mailboxes/alice@example.com")["valid"] is True


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_clean(control, sign):
    idle = socket.create_connection(("127.0.0.1", control.port))
    control.process.send_signal(sign)
    assert control.process.wait(20) == 0
    idle.close()


def test_version_and_check(control):
    assert control.run("--version").stdout.strip() == "0.1.0"
    assert control.run("--config", control.configuration, "--check").returncode == 0


@pytest.mark.parametrize("changes, words", [
    ({"api": {"port": 70000}}, ["control.toml:", "api.port", "70000"]),
    ({"api": {"address": "0.0.0.0"}}, ["control.toml:", "api.address", "TLS", "certificate"]),
    ({"api": {"certificate": "/nowhere/c.pem", "key": "/nowhere/k.pem"}}, ["/nowhere/c.pem"]),
    ({"control": {"state": "/proc/nothing/state"}}, ["/proc/nothing"]),
    ({"nonsense": {"a": 1}}, ["control.toml:", "nonsense"]),
])
def test_a_bad_configuration_is_named_and_nothing_starts(tmp_path, changes, words):
    control = Control(tmp_path, settings=changes)
    for more in ([], ["--check"]):
        done = control.run("--config", control.configuration, *more)
        assert done.returncode != 0
        for word in words:
            assert word in done.stdout + done.stderr, (word, done.stderr)


def test_a_missing_configuration_is_named(tmp_path):
    done = Control(tmp_path).run("--config", tmp_path / "missing.toml")
    assert done.returncode != 0
    assert "missing.toml" in done.stderr


def test_a_port_in_use_is_named(control, tmp_path):
    second = Control(tmp_path / "second", port=control.port)
    done = second.run("--config", second.configuration)
    assert done.returncode != 0
    assert str(control.port) in done.stderr


def test_two_on_one_store_are_refused(control, tmp_path):
    second = Control(tmp_path / "second", settings={"control": {"state": str(control.state)}})
    done = second.run("--config", second.configuration)
    assert done.returncode != 0
    assert "directory.db" in done.stderr


# TLS

@pytest.fixture
def certificate(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "k.pem", "-out", tmp_path / "c.pem"], check=True, capture_output=True)
    return tmp_path / "c.pem", tmp_path / "k.pem"


def test_tls_is_spoken_and_its_certificate_verified(tmp_path, certificate):
    settings = {"api": {"certificate": str(certificate[0]), "key": str(certificate[1])}}
    with Control(tmp_path / "c", settings=settings, ca=certificate[0]) as control:
        assert control.ctl("domain", "add", "example.com").startswith("example.com")
        control.ca, ca = None, control.ca
        assert control.try_ctl("status").returncode == 3, "plain HTTP to a TLS port"
        done = subprocess.run([BIN / "posternctl", "--url", f"https://127.0.0.1:{control.port}", "--token-file", control.token_file, "status"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 3 and "--ca" in done.stderr, "an authority that nobody trusts"
        control.ca = ca


def test_other_addresses_work_with_tls(tmp_path, certificate):
    settings = {"api": {"address": "0.0.0.0", "certificate": str(certificate[0]), "key": str(certificate[1])}}
    with Control(tmp_path / "c", settings=settings, ca=certificate[0]) as control:
        assert control.request("GET", "/v1/status")[0] == 200


# The API over the wire

def test_pages_need_no_token_on_the_machine_itself(control):
    status, page, fields = control.request("GET", "/", token="")
    assert status == 200 and "<title>Postern</title>" in page and "<script" not in page
    assert control.request("GET", "/metrics", token="")[0] == 200
    assert control.request("GET", "/", token="", headers={"Host": "rebound.example"})[0] == 401
    assert control.request("GET", "/v1/domains", token="")[0] == 401


def test_errors_are_problems(control):
    status, problem, fields = control.request("POST", "/v1/domains", {"name": ""})
    assert status == 422 and fields["Content-Type"] == "application/problem+json"
    assert problem["errors"][0]["pointer"] == "/name"


def test_an_edge_has_what_was_added_when_the_answer_comes(tmp_path):
    with ScriptedServer() as server, Edge(tmp_path / "edge") as edge:
        with Control(tmp_path, edges=[edge.socket], tables=edge.tables) as control:
            serve_domain(control, server.port)
            for address, answer in (("alice@example.com", "250"), ("bob@example.com", "550 5.1.1")):
                with Client(edge.port) as client:
                    client.open()
                    assert client.say(f"RCPT TO:<{address}>").startswith(answer)
            control.add("bob@example.com")
            control.remove("alice@example.com")
            for address, answer in (("bob@example.com", "250"), ("alice@example.com", "550 5.1.1")):
                with Client(edge.port) as client:
                    client.open()
                    assert client.say(f"RCPT TO:<{address}>").startswith(answer)
            told = control.good("GET", "/v1/explain?address=bob@example.com")
            assert told["valid"] and told["edges"][0]["standing"] == "listed"
            metrics = control.request("GET", "/metrics")[1]
            assert 'postern_edge_up{edge="edge"} 1' in metrics
            page = control.request("GET", "/")[1]
            assert "in step" in page


def test_a_large_upload_leaves_memory_flat(domain, tmp_path):
    def peak():
        for line in open(f"/proc/{domain.process.pid}/status", encoding="ascii"):
            if line.startswith("VmHWM"):
                return int(line.split()[1])
        return 0

    before = peak()
    big = tmp_path / "big.csv"
    with open(big, "w", encoding="ascii") as file:
        file.write("email,first_name\n")
        for number in range(1_000_000):
            file.write(f"not-an-address-{number},{'x' * 100}\n")
    with open(big, "rb") as body:
        status, taken, _ = domain.request("POST", "/v1/imports", body, {"Content-Type": "text/csv", "Content-Length": str(big.stat().st_size)})
    assert status == 202
    assert peak() - before < 32 * 1024, "the upload is held in memory"
    domain.request("DELETE", f"/v1/imports/{taken['id']}")


def test_slow_clients_hold_up_nobody(control):
    slow = [socket.create_connection(("127.0.0.1", control.port)) for _ in range(50)]
    for each in slow:
        each.sendall(b"POST /v1/imports HTTP/1.1\r\nHost: x\r\n")
    assert control.request("GET", "/v1/status")[0] == 200
    for each in slow:
        each.close()


def test_one_key_used_at_once_does_the_thing_once(domain):
    answers = []
    body = {"address": "alice@example.com"}

    def ask():
        answers.append(domain.request("POST", "/v1/mailboxes", body, {"Idempotency-Key": "k"})[0:2])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [status for status, _ in answers] == [201] * 8
    assert len({json.dumps(answer) for _, answer in answers}) == 1


# posternctl

def test_a_first_session(control, tmp_path):
    with ScriptedServer() as server:
        assert "observe" in control.ctl("domain", "add", "example.com")
        assert "mail for example.com" in control.ctl("inbound", "set", "example.com", f"127.0.0.1:{server.port}")
        confirmed = control.ctl("inbound", "confirm", "example.com")
        assert "ok  greeting" in confirmed and "is confirmed" in confirmed
        shown = control.ctl("inbound", "show", "example.com")
        assert "confirmed by token:first admin" in shown
    done = control.ctl("import", str(write_csv(tmp_path, ["alice@example.com,Alice", "bob@example.com,Bob"])), "--domain", "example.com", "--yes")
    assert "new: 2" in done and "in force" in done
    assert "is in enforce" in control.ctl("domain", "mode", "example.com", "enforce")
    control.ctl("mailbox", "add", "carol@example.com", "--first-name", "Carol", "--alias", "cc@example.com")
    control.ctl("alias", "add", "ca@example.com", "carol@example.com")
    assert control.ctl_json("mailbox", "show", "ca@example.com")["address"] == "carol@example.com"
    control.ctl("mailbox", "edit", "carol@example.com", "--last-name", "Cooper")
    control.ctl("domain", "alias", "add", "example.org", "example.com")
    assert "is valid" in control.ctl("explain", "alice@example.com")
    assert "is not valid" in control.ctl("explain", "nobody@example.com")
    control.ctl("--reason", "left", "mailbox", "remove", "bob@example.com")
    rows = control.ctl_json("history", "--address", "bob@example.com")
    assert rows[0]["why"] == "left"
    names = [row["address"] for row in control.ctl_json("mailbox", "list")]
    assert names == ["alice@example.com", "carol@example.com"]
    assert "carol@example.com,Carol,Cooper" in control.ctl("export", "--domain", "example.com")
    assert "generation" in control.ctl("status")


def test_an_inbound_server_that_is_an_edge_is_refused(tmp_path):
    with Control(tmp_path, settings={"probe": {"own_listeners": ["0.0.0.0:2525"]}}) as control:
        control.ctl("domain", "add", "example.com")
        control.ctl("inbound", "set", "example.com", "127.0.0.1:2525")
        for more in ([], ["--unprobed"]):
            control.try_ctl("inbound", "probe", "example.com")
            done = control.try_ctl("inbound", "confirm", "example.com", *more)
            assert done.returncode == 1 and "loop" in done.stderr


def test_an_import_is_previewed_without_a_change(domain, tmp_path):
    path = write_csv(tmp_path, ["alice@example.com,Alice", "nonsense@@,X"])
    done = domain.try_ctl("import", str(path), "--preview")
    assert done.returncode == 5
    assert "new: 1" in done.stdout and "invalid: 1" in done.stdout
    assert "line 3" in done.stderr
    assert domain.ctl_json("mailbox", "list") == []


def test_a_strict_import_with_a_bad_row_changes_nothing(domain, tmp_path):
    path = write_csv(tmp_path, ["alice@example.com,Alice", "nonsense@@,X"])
    done = domain.try_ctl("import", str(path), "--strict", "--yes")
    assert done.returncode == 1 and "nothing is changed" in done.stdout
    assert domain.ctl_json("mailbox", "list") == []


def test_an_import_that_nobody_can_be_asked_about_is_not_applied(domain, tmp_path):
    done = domain.try_ctl("import", str(write_csv(tmp_path, ["alice@example.com,Alice"])))
    assert done.returncode == 2 and "--yes" in done.stderr
    assert domain.ctl_json("mailbox", "list") == []


def test_a_replacing_import_withdraws_what_the_file_lacks(domain, tmp_path):
    domain.ctl("import", str(write_csv(tmp_path, ["alice@example.com,A", "bob@example.com,B"])), "--yes", "--domain", "example.com")
    domain.ctl("import", str(write_csv(tmp_path, ["alice@example.com,A"])), "--yes", "--domain", "example.com", "--replace")
    assert [row["address"] for row in domain.ctl_json("mailbox", "list")] == ["alice@example.com"]


def test_what_is_exported_comes_back_unchanged(domain, tmp_path):
    domain.ctl("mailbox", "add", "alice@example.com", "--first-name", "Älice", "--alias", "al@example.com", "--group", "Sales, south")
    out = tmp_path / "out.csv"
    domain.ctl("export", "--output", str(out))
    report = domain.ctl_json("import", str(out), "--preview")["report"]
    assert (report["new"], report["updated"], report["invalid"]) == (0, 1, 0) or report["unchanged"] == 1


def test_exit_statuses_say_what_was_wrong(control, tmp_path):
    assert control.try_ctl("domain", "show", "example.net").returncode == 1
    assert control.try_ctl("domain", "mode", "example.com", "sometimes").returncode == 2
    assert control.try_ctl("nonsense").returncode == 2
    assert control.try_ctl("status", token_file=tmp_path / "missing").returncode == 4
    (tmp_path / "wrong").write_text("pst_wrong\n")
    assert control.try_ctl("status", token_file=tmp_path / "wrong").returncode == 4
    assert control.try_ctl("import", str(tmp_path / "missing.csv"), "--yes").returncode == 3
    gone = subprocess.run([BIN / "posternctl", "--url", f"http://127.0.0.1:{free_port()}", "--token-file", control.token_file, "status"],
                          capture_output=True, text=True, check=False)
    assert gone.returncode == 3 and "POSTERN_URL" in gone.stderr


def test_tokens_have_roles_and_can_be_revoked(domain, tmp_path):
    secret = domain.ctl("token", "add", "ops", "--role", "operator")
    file = tmp_path / "ops.token"
    file.write_text(secret)
    assert domain.try_ctl("mailbox", "add", "alice@example.com", token_file=file).returncode == 0
    assert domain.try_ctl("domain", "add", "example.org", token_file=file).returncode == 4
    number = [row["id"] for row in domain.ctl_json("token", "list") if row["name"] == "ops"][0]
    domain.ctl("token", "revoke", str(number))
    assert domain.try_ctl("mailbox", "list", token_file=file).returncode == 4
    assert secret.strip() not in domain.log_text()


def test_options_come_from_the_environment(control):
    environment = {**os.environ, "POSTERN_URL": control.url, "POSTERN_TOKEN_FILE": str(control.token_file)}
    done = subprocess.run([BIN / "posternctl", "--json", "status"], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["version"] == "0.1.0"


def state_of(domain, number):
    return domain.good("GET", f"/v1/imports/{number}")["state"]


def test_an_import_that_was_taken_is_applied_whatever_happens_to_the_process(domain, tmp_path):
    path = write_csv(tmp_path, [f"user{number}@example.com,U" for number in range(50_000)])
    with open(path, "rb") as body:
        status, taken, _ = domain.request("POST", "/v1/imports?apply=true", body, {"Content-Type": "text/csv"})
    assert status == 202
    wait_until(lambda: state_of(domain, taken["id"]) != "queued", 20, "the import runs")
    domain.kill()
    domain.start()
    count = domain.request("GET", "/v1/mailboxes?limit=1&count=true")[2]["Postern-Total"]
    assert count in ("0", "50000"), "all or nothing"
    wait_until(lambda: state_of(domain, taken["id"]) == "applied", 60, "the import goes on")
    assert domain.request("GET", "/v1/mailboxes?limit=1&count=true")[2]["Postern-Total"] == "50000"
    assert not list((domain.state / "uploads").iterdir())


def test_held_removals_wait_for_a_person_over_a_crash(domain, tmp_path):
    people = [f"user{number}@example.com,U" for number in range(40)]
    domain.ctl("import", str(write_csv(tmp_path, people)), "--yes", "--domain", "example.com", "--replace")
    held = domain.try_ctl("import", str(write_csv(tmp_path, people[:10])), "--yes", "--domain", "example.com", "--replace")
    assert held.returncode == 1 and "30 removals wait" in held.stdout
    before = domain.ctl_json("imports", "list")[0]
    assert before["state"] == "held" and before["report"]["held"] == 30
    domain.kill()
    domain.start()
    assert domain.ctl_json("imports", "list") == [before]
    assert len(domain.ctl_json("imports", "show", before["id"])["report"]["samples"]["missing"]) == 10
    assert len(domain.ctl_json("mailbox", "list")) == 40
    domain.ctl("imports", "approve", before["id"])
    wait_until(lambda: state_of(domain, before["id"]) == "applied", 20, "the removals are done")
    assert len(domain.ctl_json("mailbox", "list")) == 10
