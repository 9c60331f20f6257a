"""Postfix of Debian 12: smtpd alone in front of a relay domain, relay_recipient_maps in LMDB.

Why these settings: what is said in postconf(5) and measured on loopback; each line of `_MAIN` says what it saves.
"""

import subprocess

from .peer import Namespace, Peer

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = ../data
command_directory = {commands}
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = peer.invalid
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
# The list: LMDB is memory-mapped, read without a lock, and changes in place, so that an added address is in force without a new process.
relay_domains = example.com
relay_recipient_maps = lmdb:{folder}/list
# Rules: the fewest that still refuse strangers. A recipient that is not in the list is refused by smtpd_reject_unlisted_recipient (on).
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
# No question to DNS for each client.
smtpd_peername_lookup = no
# No tarpit, no error limit: a client that asks for strangers only is served at full speed.
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000000000
smtpd_hard_error_limit = 1000000000
smtpd_junk_command_limit = 1000000000
smtpd_recipient_limit = 1000000000
smtpd_recipient_overshoot_limit = 1000000000
in_flow_delay = 0
# No question to anvil for each connection: nobody's connections are counted.
smtpd_client_event_limit_exceptions = static:all
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
# As many smtpd processes as connections, and none is ended to be started afresh.
default_process_limit = 1500
max_use = 1000000000
max_idle = 1h
smtpd_timeout = 1h
# Nothing that a rejected recipient needs: no VRFY, no TLS, no SASL.
disable_vrfy_command = yes
smtpd_tls_security_level = none
smtpd_sasl_auth_enable = no
# The log goes to a system log that is not there: a failed connect is all it costs.
maillog_file =
"""

# postscreen is off: smtpd itself listens, with a long queue of connections (the backlog is the kernel's somaxconn).
_MASTER = """\
{port}     inet  n       -       n       -       1500    smtpd
cleanup    unix  n       -       n       -       0       cleanup
qmgr       unix  n       -       n       300     1       qmgr
rewrite    unix  -       -       n       -       -       trivial-rewrite
bounce     unix  -       -       n       -       0       bounce
defer      unix  -       -       n       -       0       bounce
trace      unix  -       -       n       -       0       bounce
proxymap   unix  -       -       n       -       -       proxymap
error      unix  -       -       n       -       -       error
retry      unix  -       -       n       -       -       error
discard    unix  -       -       n       -       -       discard
anvil      unix  -       -       n       -       1       anvil
"""


class Postfix(Peer):
    name = "postfix"

    def prepare(self):
        def default(name):
            return subprocess.run(["postconf", "-d", "-h", name], capture_output=True, text=True, check=True).stdout.strip()

        self._daemons = default("daemon_directory")
        for part in ("config", "queue", "data"):
            (self.folder / part).mkdir()
        self.run("chown", "postfix", self.folder / "data")
        (self.folder / "config" / "main.cf").write_text(
            _MAIN.format(folder=self.folder, commands=default("command_directory"), daemons=self._daemons), encoding="utf-8")
        (self.folder / "config" / "master.cf").write_text(_MASTER.format(port=f"127.0.0.1:{self.port}"), encoding="utf-8")
        self.run("postfix", "-c", self.folder / "config", "check")

    def start_command(self):
        return Namespace(self.folder).command(f"{self._daemons}/master", "-c", self.folder / "config", "-d")

    def write(self, addresses):
        (self.folder / "list").write_text("".join(f"{address} OK\n" for address in addresses), encoding="ascii")

    def _postmap(self, *words, text=None):
        self.run("postmap", "-c", self.folder / "config", *words, f"lmdb:{self.folder}/list", text=text)

    def load(self):
        """postmap writes the database anew in one LMDB transaction: smtpd sees the old list until it is whole."""
        self._postmap()

    def add(self, address):
        self._postmap("-i", text=f"{address} OK\n")
