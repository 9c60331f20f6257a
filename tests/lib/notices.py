"""Who is told of syncs in whole-process tests: a web server that takes webhooks, and an SMTP server that takes e-mail (downstream.py).

    with Hook() as hook:
        …  notify={"webhook": hook.url}
        notice = hook.wait_for("sync_failed")
"""

import hashlib
import hmac
import http.server
import json
import threading

from downstream import wait_until


class Hook:
    """`notices` are the bodies of all POSTs, each with its header fields under "fields"; `status` is what the next ones are answered."""

    def __init__(self, secret=""):
        self.notices = []
        self.secret = secret
        self.status = 204
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802: the base class calls it so
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status < 300:
                    hook.notices.append({**json.loads(body), "fields": dict(self.headers), "signed": hook.is_signed(self.headers, body)})
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def is_signed(self, fields, body):
        """Whether the signature is the one that the secret makes of time and body."""
        parts = dict(part.split("=", 1) for part in fields.get("Postern-Signature", "").split(",") if "=" in part)
        made = hmac.new(self.secret.encode(), f"{parts.get('t')}.".encode() + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(made, parts.get("v1", ""))

    def wait_for(self, event, after=0, seconds=15):
        """The first notice of this event behind the first `after` notices."""
        def found():
            return next((each for each in self.notices[after:] if each["event"] == event), None)
        return wait_until(found, seconds, f"the webhook gets {event}; it got {[each['event'] for each in self.notices[after:]]}")

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
