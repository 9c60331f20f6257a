"""Exim of Debian 12 (exim4-daemon-light, unpacked): one ACL for RCPT that asks a CDB, nothing else switched on.

CDB is the fastest of Exim's lookups in this package: two reads of a memory-mapped file. It can't be changed in place, so an added address
costs a new file; a second, small CDB before it would cost every reject a second lookup. A connection has a process of its own, which keeps
the file that it opened: what is new is in force for connections that begin later.
"""

import os

from .peer import Namespace, Peer, unpack

_CONFIGURATION = """\
primary_hostname = peer.invalid
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
disable_ipv6 = true
keep_environment =
domainlist relay_domains = example.com
acl_smtp_rcpt = rcpt
# Nobody is looked up or asked: no DNS, no ident.
host_lookup =
rfc1413_hosts =
rfc1413_query_timeout = 0s
dns_dnssec_ok = 0
# No limit on connections, commands, errors or recipients, and nothing that is counted for one.
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_accept_max_nonmail_hosts =
smtp_accept_queue = 0
smtp_max_synprot_errors = 1000000000
smtp_max_unknown_commands = 1000000000
smtp_connect_backlog = 4096
recipients_max = 0
# No system call beside recv and send: no check for early input, no alarm, no keep-alive.
smtp_enforce_sync = false
smtp_receive_timeout = 0s
smtp_accept_keepalive = false
check_spool_space = 0
check_spool_inodes = 0
check_log_space = 0
check_log_inodes = 0
# No TLS to be initialised for each connection, no extension that is not needed.
tls_advertise_hosts =
chunking_advertise_hosts =
dsn_advertise_hosts =
pipelining_advertise_hosts = *
# Mail is only put into the queue, and no log line is written.
queue_only = true
queue_run_in_order = false
log_selector = -all
write_rejectlog = false
syslog_timestamp = false
message_logs = false

begin acl
rcpt:
  accept condition = ${{lookup{{$local_part@$domain}}cdb{{{folder}/list.cdb}}{{yes}}{{no}}}}
  deny message = 5.1.1 Unknown recipient
       log_reject_target =
"""


class Exim(Peer):
    name = "exim"
    # After QUIT Exim waits up to 200 ms for the client to close, and no setting changes that: with 64 connections in churn its core would idle.
    churn_connections = 512

    def prepare(self):
        self._program = unpack("exim4-daemon-light", self.kept / "packages") / "usr" / "sbin" / "exim4"
        self._namespace = Namespace(self.folder, users=["Debian-exim"])
        for part in ("spool", "log"):
            (self.folder / part).mkdir()
            number = self._namespace.ids["Debian-exim"]
            os.chown(self.folder / part, number, number)
        (self.folder / "exim.conf").write_text(_CONFIGURATION.format(folder=self.folder, port=self.port), encoding="utf-8")

    def start_command(self):
        return self._namespace.command(self._program, "-bdf", "-C", self.folder / "exim.conf")

    def write(self, addresses):
        (self.folder / "list").write_text("".join(f"{address} 1\n" for address in addresses), encoding="ascii")

    def load(self):
        """cdb makes a new file and renames it over the old one."""
        self.run("cdb", "-c", "-m", "-p", "0644", "-t", self.folder / "list.tmp", self.folder / "list.cdb", self.folder / "list")

    def add(self, address):
        with open(self.folder / "list", "a", encoding="ascii") as text:
            text.write(f"{address} 1\n")
        self.load()
