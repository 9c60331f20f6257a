"""OpenSMTPD 6.8 of Debian 12 (unpacked): the list as a virtual table in a Berkeley DB hash, which is asked by key.

`match … rcpt-to <table>` and tables of kind file: compare a recipient with each entry one after another, so the list is a virtual one,
in the only kind of database that OpenSMTPD reads itself. Listed addresses expand to one address that would be relayed. What it does
not have: PIPELINING is not offered, so it takes no part there; the queue of connections to be accepted is of 5 and can't be set, so
connections come one by one (`--ramp` of the load) and few at a time in churn.
"""

from .peer import Namespace, Peer, unpack

# Nothing is asked of a filter, of TLS or of a user table. Sizes and limits are not reached by a reject.
_CONFIGURATION = """\
table list db:{folder}/list.db
smtp max-message-size 10M
listen on 127.0.0.1 port {port} hostname peer.invalid
action "in" expand-only virtual <list>
action "out" relay host "smtp://127.0.0.1:9"
match from any for domain "example.com" action "in"
match from any for domain "sink.invalid" action "out"
"""

# The name of each client is looked up and no setting changes that: a file of the machine's own answers at once, DNS is never asked.
_RESOLVER = "lookup file\n"


class OpenSMTPD(Peer):
    name = "opensmtpd"
    # More than fit its backlog of 5 lose SYNs and wait a second.
    churn_connections = 5
    pipelining = False
    # 524 5.2.4: no entry in the virtual table.
    stranger_replies = "524|550"

    def prepare(self):
        root = unpack("opensmtpd", self.kept / "packages")
        self._program, self._tool = root / "usr" / "sbin" / "smtpd", root / "usr" / "sbin" / "smtpctl"
        for part in ("run", "spool/smtpd", "lib/opensmtpd/empty"):  # where it goes to live in its namespace
            (self.folder / part).mkdir(parents=True)
        (self.folder / "spool" / "smtpd").chmod(0o711)
        (self.folder / "resolv.conf").write_text(_RESOLVER, encoding="ascii")
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n", encoding="ascii")
        (self.folder / "makemap").symlink_to(self._tool)
        (self.folder / "smtpd.conf").write_text(_CONFIGURATION.format(folder=self.folder, port=self.port), encoding="ascii")
        self._namespace = Namespace(self.folder, users=["opensmtpd", "opensmtpq"], mounts=[
            (self.folder / "run", "/run"), (self.folder / "spool", "/var/spool"), (self.folder / "lib", "/var/lib"),
            (self.folder / "resolv.conf", "/etc/resolv.conf"), (self.folder / "hosts", "/etc/hosts")])
        # Its tools want to have been installed for this group.
        self._as_group = ["setpriv", "--regid", self._namespace.ids["opensmtpq"], "--clear-groups"]

    def start_command(self):
        """-F: no log file, and the system log is not there. Each MAIL makes a message in the queue, on disk a folder: the null queue
        spares that, as none comes to DATA. (The queue in memory answers some listed recipients with 421.)"""
        return self._namespace.command(self._program, "-F", "-B", "queue=null", "-f", self.folder / "smtpd.conf")

    def write(self, addresses):
        (self.folder / "list").write_text("".join(f"{address}: sink@sink.invalid\n" for address in addresses), encoding="ascii")

    def load(self):
        """makemap writes a new database, which is put in the old one's place when its reader may open it; smtpctl has it opened at once."""
        fresh = self.folder / "list.new"
        self.run(*self._namespace.command(*self._as_group, self.folder / "makemap", "-t", "aliases", "-o", fresh, self.folder / "list"))
        fresh.chmod(0o644)
        fresh.replace(self.folder / "list.db")
        if self.pid is not None:
            self.run("nsenter", "-t", self.pid, "-m", *self._as_group, self._tool, "update", "table", "list")

    def add(self, address):
        with open(self.folder / "list", "a", encoding="ascii") as text:
            text.write(f"{address}: sink@sink.invalid\n")
        self.load()
