"""Mail servers to stand behind Postern in whole-process tests: a real Postfix, and a scripted one that misbehaves on purpose.

Both listen on 127.0.0.1 unless told otherwise, keep their state in a folder that the test gives, and are ended by their own process or thread.
"""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from accepting import Accepting
from postern import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]


def wait_until(condition, seconds, what):
    """Waits for a condition; fails the test with words if it does not come true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def greets(port, address="127.0.0.1"):
    """Whether an SMTP server at this port says 220."""
    try:
        with socket.create_connection((address, port), timeout=1) as connection:
            return connection.recv(512).startswith(b"220")
    except OSError:
        return False


class Postfix:
    """Debian's Postfix with a configuration and queue of its own; every message it takes becomes one file in `delivered`."""

    def __init__(self, folder, extra=None, port=None, address="127.0.0.1"):
        self.folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.address = address
        self.delivered = self.folder / "delivered"
        self.state = self.folder / "postfix"
        self._extra = extra or {}
        self._process = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        environment = dict(os.environ, POSTFIX_EXTRA="\n".join(f"{key} = {value}" for key, value in self._extra.items()))
        self._log = open(self.folder / "postfix.out", "ab")  # noqa: SIM115: closed by stop
        self._process = subprocess.Popen(
            [ROOT / "image/up/downstream.sh", self.state, self.address, str(self.port), self.delivered],
            stdout=self._log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        wait_until(lambda: greets(self.port, self.address) or self._process.poll() is not None, 30, "Postfix greets")
        if self._process.poll() is not None:
            raise AssertionError("Postfix ended: " + (self.folder / "postfix.out").read_text())
        return self

    def stop(self):
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._log.close()

    def messages(self):
        """The content of each delivered message, oldest first, CRLF line ends."""
        return [path.read_bytes() for path in sorted(self.delivered.iterdir(), key=lambda path: path.stat().st_mtime_ns)]

    def wait_for_messages(self, count, seconds=30):
        wait_until(lambda: len(list(self.delivered.iterdir())) >= count, seconds, f"{count} messages in {self.delivered}")
        return self.messages()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class ScriptedServer:
    """An SMTP server on a thread per connection whose answers the test sets: `answers` maps a step to a reply line, to a number of
    seconds to wait before the usual reply, or to one of the words below.

    Steps: greeting, EHLO, MAIL, RCPT ("RCPT ADDRESS": of this one), DATA, body (after `take` octets of content), end (after the final dot), RSET, QUIT.
    Words: "close" (closes the connection), "silent" (never answers), "drip" (its reply one octet a second), "stall" (for body: stops reading; a number:
    for so many seconds).
    """

    USUAL = {
        "greeting": "220 scripted ESMTP", "EHLO": "250-scripted\r\n250-PIPELINING\r\n250 8BITMIME", "HELO": "250 scripted", "MAIL": "250 2.1.0 Ok",
        "RCPT": "250 2.1.5 Ok", "DATA": "354 go on", "end": "250 2.0.0 Ok: taken", "RSET": "250 2.0.0 Ok", "QUIT": "221 2.0.0 Bye",
    }

    def __init__(self, answers=None, take=0):
        self.answers = answers or {}
        self.take = take
        self.messages = []
        self.commands = []
        self._stopping = threading.Event()
        self._open = set()
        self._accepting = Accepting(self._serve)
        self.port = self._accepting.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._accepting.end()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _answer(self, connection, step):
        """Says what the step's script wants; false if the connection is over."""
        wanted = self.answers.get(step)
        usual = self.USUAL.get(step, "500 5.5.2 what?")
        if wanted == "close":
            return False
        if wanted == "silent":
            self._stopping.wait()
            return False
        if wanted == "drip":
            for octet in (usual + "\r\n").encode():
                if self._stopping.wait(1):
                    return False
                connection.sendall(bytes([octet]))
            return True
        if isinstance(wanted, (int, float)):
            self._stopping.wait(wanted)
            wanted = None
        connection.sendall(((wanted or usual) + "\r\n").encode())
        return not (wanted or usual).startswith("421")

    def _serve(self, connection):
        self._open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as lines:
                if not self._answer(connection, "greeting"):
                    return
                while line := lines.readline():
                    self.commands.append(line.decode("latin-1").rstrip("\r\n"))
                    verb = line[:4].decode("latin-1").upper()
                    one = f"RCPT {self.commands[-1].partition('<')[2].partition('>')[0]}"
                    if not self._answer(connection, one if verb == "RCPT" and one in self.answers else verb) or verb == "QUIT":
                        return
                    if verb == "DATA" and not str(self.answers.get("DATA", "354")).startswith(("4", "5")):
                        if not self._body(connection, lines):
                            return
        except OSError:
            pass
        finally:
            self._open.discard(connection)

    def _body(self, connection, lines):
        content = bytearray()
        body = self.answers.get("body")
        while True:
            if body and len(content) >= self.take:
                if isinstance(body, (int, float)):
                    self._stopping.wait(body)
                    body = None
                    continue
                if body == "stall":
                    self._stopping.wait()
                return False
            line = lines.readline()
            if not line:
                return False
            if line == b".\r\n":
                break
            content += line[1:] if line.startswith(b".") else line
        if not str(self.answers.get("end", "250")).startswith(("4", "5", "close", "silent", "drip")):
            self.messages.append(bytes(content))  # before the answer: whoever has that may look
        return self._answer(connection, "end")
