"""A real Samba Active Directory domain controller in a network namespace of its own: domain example.com, dc1 at 127.0.0.1.

    with DomainController(folder) as dc:
        dc.add(user("ada", mail="ada@example.com"))
        got = fetch(dc.settings(), password=dc.password, prefix=dc.inside)
"""

import ctypes
import os
import pathlib
import socket
import subprocess
import threading
import time

from certificates import Authority

BASE = "DC=example,DC=com"
USERS = f"OU=People,{BASE}"
PASSWORD = "Passw0rd-of-tests"


def record(dn, **attributes):
    """An LDIF record to add."""
    lines = [f"dn: {dn}", "changetype: add"]
    for name, values in attributes.items():
        lines += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"


def unit(name, parent=BASE):
    return record(f"OU={name},{parent}", objectClass="organizationalUnit")


def user(name, parent=USERS, **attributes):
    attributes.setdefault("mail", f"{name}@example.com")
    attributes.setdefault("userAccountControl", "544")
    return record(f"CN={name},{parent}", objectClass="user", sAMAccountName=name, **attributes)


class DomainController:
    password = PASSWORD

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.namespace = f"postern-ad-{os.getpid()}"
        self.inside = ["ip", "netns", "exec", self.namespace]
        self.authority = Authority(self.folder / "tls")
        self.certificate, self.key = self.authority.issue("dc1", "IP:127.0.0.1,DNS:dc1.example.com")
        self.process = None

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)
        try:
            target = self.folder / "ad"
            done = subprocess.run([*self.inside, "samba-tool", "domain", "provision", "--use-rfc2307", "--dns-backend=NONE",
                                   f"--targetdir={target}", "--realm=EXAMPLE.COM", "--domain=EXAMPLE", "--server-role=dc", "--host-name=dc1",
                                   "--host-ip=127.0.0.1", f"--adminpass={PASSWORD}", "--option=interfaces=lo",
                                   "--option=bind interfaces only=yes"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-4000:]
            self.sam = target / "private" / "sam.ldb"
            self.conf = target / "etc" / "smb.conf"
            self.start()
            self.add(unit("People") + unit("Staff"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        with open(self.folder / "samba.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, "samba", "-s", self.conf, "-F", "--no-process-group", "-M", "single", "--option=server services=ldap",
                 f"--option=tls keyfile={self.key}", f"--option=tls certfile={self.certificate}", f"--option=tls cafile={self.authority.file}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while self.search("(objectClass=domain)", "base").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "samba.log").read_text()[-4000:]
            time.sleep(0.1)

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)

    def connect(self, port):
        """A connection to a port of the namespace's 127.0.0.1 from this one."""
        made = []

        def inside():
            # A thread is in a network namespace of its own choice, and its sockets stay there.
            with open(f"/run/netns/{self.namespace}", "rb") as space:
                if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0x40000000) != 0:
                    made.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                made.append(socket.create_connection(("127.0.0.1", port)))
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]

    def _client(self, program, *words, **options):
        environment = dict(os.environ, LDAPTLS_CACERT=str(self.authority.file))
        return subprocess.run([*self.inside, program, "-x", "-H", "ldaps://127.0.0.1", "-D", "administrator@example.com", "-w", PASSWORD, *words],
                              capture_output=True, text=True, check=False, env=environment, **options)

    def search(self, text, scope="sub", *attributes):
        return self._client("ldapsearch", "-LLL", "-b", BASE, "-s", scope, text, *attributes)

    def modify(self, ldif):
        done = self._client("ldapmodify", input=ldif)
        assert done.returncode == 0, done.stderr

    add = modify

    def create_account(self, name):
        """An ordinary user with the tests' password."""
        done = subprocess.run([*self.inside, "samba-tool", "user", "create", name, PASSWORD, "-H", str(self.sam), "-s", str(self.conf)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def settings(self, **changes):
        return {"preset": "active-directory", "servers": ["127.0.0.1"], "security": "ldaps", "ca_certificates": self.authority.text,
                "bind_name": "administrator@example.com", "base": BASE, "filter": "(&(mail=*)(objectClass=user))", "connect_timeout_s": 5,
                "answer_timeout_s": 60, **changes}
