"""A directory that is followed as it changes (RFC 4533 refreshAndPersist), through whole processes: nobody asks for a sync and no schedule is due."""

import time

from downstream import wait_until
from slapd import BASE, Slapd, people, person

from lib.following import Following


def test_changes_are_in_force_as_they_happen(tmp_path, facts):
    with Slapd(tmp_path / "slapd", people(20)) as server, Following(tmp_path / "system") as system:
        system.add_source("head", server.settings(persist=True), password=server.password)
        system.ctl("source", "set", "head", "--enabled", "true")
        wait_until(lambda: system.control.log("source_followed"), 20, "the source is followed")
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        took = []
        for number in range(3):
            began = time.monotonic()
            server.modify(person(f"new{number}").replace("\nobjectClass", "\nchangetype: add\nobjectClass", 1))
            wait_until(lambda name=f"new{number}@example.com": system.taken(name), 10, "it is in force")
            took.append(time.monotonic() - began)
        server.modify(f"dn: cn=user000000,ou=people,{BASE}\nchangetype: delete\n")
        wait_until(lambda: system.refused("user000000@example.com"), 10, "it is gone")
        runs = system.control.ctl_json("sync", "list")
        assert len(runs) == 5 and all(not run["whole"] for run in runs[:-1]) and all(run["by"] == "system" for run in runs), runs
        # The server goes and comes back: followed again, with what happened meanwhile.
        server.kill()
        wait_until(lambda: system.control.log("source_follow_ended"), 10, "the connection's end is told")
        server.start()
        server.modify(person("later").replace("\nobjectClass", "\nchangetype: add\nobjectClass", 1))
        wait_until(lambda: system.taken("later@example.com"), 20, "it is followed again")
        facts(f"a person added in slapd is in force at the edge {', '.join(f'{each:.2f}' for each in took)} s later")
