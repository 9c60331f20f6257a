"""A real slapd on loopback with a tree of the test's own: dc=example,dc=com with the account cn=postern that fetches.

    with Slapd(folder, people(100)) as server:
        got = fetch(server.settings(), password=server.password)
"""

import socket
import subprocess

from certificates import Authority
from postern import Program, free_port

BASE = "dc=example,dc=com"
ADMIN = f"cn=admin,{BASE}"
ACCOUNT = f"cn=postern,{BASE}"
PASSWORD = "secret"

SCHEMA = """
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'msExchRecipientTypeDetails' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'msExchRequireAuthToSendTo' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'mailThing' SUP top AUXILIARY
  MAY ( mail $ proxyAddresses $ msExchRecipientTypeDetails $ msExchRequireAuthToSendTo $ userAccountControl ) )
"""


def entry(dn, classes, **attributes):
    """An LDIF record."""
    lines = [f"dn: {dn}"] + [f"objectClass: {each}" for each in classes]
    for name, values in attributes.items():
        lines += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"


def person(name, ou="ou=people", **attributes):
    attributes.setdefault("mail", f"{name}@example.com")
    return entry(f"cn={name},{ou},{BASE}", ["inetOrgPerson", "mailThing"], cn=name, sn=name.title(), **attributes)


def people(count):
    return "".join(person(f"user{number:06d}", proxyAddresses=[f"smtp:u{number}@example.com"]) for number in range(count))


def top(*units):
    out = entry(BASE, ["domain"], dc="example") + entry(ACCOUNT, ["organizationalRole", "simpleSecurityObject"], cn="postern", userPassword=PASSWORD)
    return out + "".join(entry(f"ou={unit},{BASE}", ["organizationalUnit"], ou=unit) for unit in units)


class Slapd(Program):
    name = "slapd"
    program = "/usr/sbin/slapd"
    password = PASSWORD

    def __init__(self, folder, ldif="", directives="", database="", session_log=True, units=("people", "staff"), expired=False):
        super().__init__(folder)
        self.port, self.tls_port = free_port(), free_port()
        self.authority = Authority(self.folder / "tls")
        self.certificate, self.key = self.authority.issue("server", expired=expired)
        self.conf = self.folder / "slapd.conf"
        (self.folder / "db").mkdir(exist_ok=True)
        self._log = "syncprov-sessionlog 100000\n" if session_log else ""
        self.set_up(directives, database)
        self.load([top(*units), ldif])

    def set_up(self, directives="", database="", certificate=None, key=None):
        """Writes slapd.conf, for the next start; the tree stays."""
        self.conf.write_text(f"""include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
{SCHEMA}
modulepath /usr/lib/ldap
moduleload back_mdb.la
moduleload syncprov.la
pidfile {self.folder}/slapd.pid
TLSCACertificateFile {self.authority.file}
TLSCertificateFile {certificate or self.certificate}
TLSCertificateKeyFile {key or self.key}
{directives}
database mdb
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {PASSWORD}
directory {self.folder}/db
maxsize 17179869184
dbnosync
index objectClass,entryUUID,entryCSN eq
index mail pres
{database or f'limits dn.exact="{ACCOUNT}" size=unlimited time=unlimited'}
overlay syncprov
{self._log}""")

    def restart(self, **conf):
        """With another slapd.conf on the same tree."""
        self.kill()
        self.set_up(**conf)
        self.start()

    def load(self, records):
        """Adds LDIF, which may come in parts, while slapd does not run."""
        file = self.folder / "tree.ldif"
        with open(file, "w") as out:
            out.writelines(records)
        subprocess.run(["/usr/sbin/slapadd", "-q", "-w", "-f", self.conf, "-l", file], check=True, capture_output=True, text=True)

    def arguments(self):
        # `-d 0` stays in the foreground.
        return ["-f", self.conf, "-d", "0", "-h", f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"]

    def ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.tls_port), timeout=1):
                return True
        except OSError:
            return False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def modify(self, ldif, *options):
        """Changes by LDIF (changetype: …), as the administrator."""
        done = subprocess.run(["ldapmodify", *options, "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN, "-w", PASSWORD], input=ldif, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def settings(self, **changes):
        return {"servers": [f"127.0.0.1:{self.tls_port}"], "security": "ldaps", "ca_certificates": self.authority.text, "bind_name": ACCOUNT,
                "base": BASE, "filter": "(&(objectClass=mailThing)(|(mail=*)(proxyAddresses=*)))", "connect_timeout_s": 5, "answer_timeout_s": 20,
                **changes}
