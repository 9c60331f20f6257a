"""A server that speaks what Microsoft documents of its token endpoint and of Graph's delta queries, over TLS on loopback.

    with Graph(folder) as graph:
        ada = graph.put("users", "ada", proxyAddresses=["SMTP:ada@example.com"])
        got = fetch(graph.settings(), program=PROGRAM, **graph.secrets)
        graph.put("users", "ada", id=ada, mail="lovelace@example.com")
        graph.fault("/v1.0/users", status=429, headers={"Retry-After": "1"})

It is the project's own reading of the documents, not Microsoft's service. Pages hold `page_size` objects; `empty_pages` puts an empty one
after each, `repeat` tells every object once more at the end. What was asked is in `requests`.
"""

import base64
import collections
import hashlib
import http.server
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse
import uuid

from accepting import Accepting
from certificates import Authority

TENANT = "example.onmicrosoft.com"
CLIENT = "11111111-2222-3333-4444-555555555555"
SECRET = "q~secret & value=+/"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Request = collections.namedtuple("Request", "method path fields form")
Fault = collections.namedtuple("Fault", "path status headers body cut times")


def rsa_certificate(folder, name="application"):
    """Files (certificate, key) of an application, self-signed."""
    certificate, key = pathlib.Path(folder) / f"{name}.pem", pathlib.Path(folder) / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "30", "-subj",
                    f"/CN={name}"], check=True, capture_output=True)
    return certificate, key


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Refused(Exception):
    def __init__(self, status, body, headers=None):
        super().__init__(body)
        self.status, self.body, self.headers = status, body, headers or {}


def graph_error(status, code, message="", headers=None):
    return Refused(status, {"error": {"code": code, "message": message, "innerError": {"date": "2026-01-01T00:00:00"}}}, headers)


def token_error(status, error, text):
    return Refused(status, {"error": error, "error_description": text, "error_codes": [0], "trace_id": "x"})


class Graph:
    """Login and Graph on one port. `put` and `remove` may be called while it runs."""

    def __init__(self, folder, page_size=3, empty_pages=False, repeat=False):
        self.folder = pathlib.Path(folder)
        self.page_size, self.empty_pages, self.repeat = page_size, empty_pages, repeat
        self.authority = Authority(self.folder / "tls")
        certificate, key = self.authority.issue("server", "IP:127.0.0.1,DNS:localhost")
        self.application_certificate = None
        self.permissions = {"users", "groups"}
        self.requests, self.faults, self.tokens = [], [], set()
        self.objects = {"users": {}, "groups": {}}
        self.changes = []  # (collection, id, reason of removal or None), its index is the state
        self.walks = {}
        self.oldest_state = 0
        self.expired = Refused(410, {"error": {"code": "resyncRequired"}})
        self.link_to = None
        self.partial = False
        self.lock = threading.Lock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        owner = self

        class Handler(GraphHandler):
            graph = owner

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, peer = super().get_request()
                connection.settimeout(20)
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

            def handle_error(self, request, client_address):
                pass  # clients that cut or do not trust are part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def settings(self, **changes):
        return {"tenant": TENANT, "client_id": CLIENT, "login_url": self.url, "graph_url": self.url, "ca_certificates": self.authority.text,
                **changes}

    @property
    def secrets(self):
        return {"client_secret": SECRET}

    def put(self, kind, name=None, id=None, **members):
        """A user or group as it is from now on; its id. Members that are None were never set."""
        with self.lock:
            id = id or str(uuid.uuid4())
            if kind == "users":
                base = {"id": id, "userPrincipalName": f"{name}@example.com", "mail": f"{name}@example.com", "userType": "Member",
                        "accountEnabled": True, "assignedLicenses": [{"skuId": str(uuid.UUID(int=1)), "disabledPlans": []}]}
            else:
                base = {"id": id, "displayName": name, "mail": f"{name}@example.com", "mailEnabled": True, "securityEnabled": False}
            self.objects[kind][id] = {key: value for key, value in {**base, **members}.items() if value is not None}
            self.changes.append((kind, id, None))
            return id

    def remove(self, kind, id, reason="changed"):
        with self.lock:
            del self.objects[kind][id]
            self.changes.append((kind, id, reason))

    def expire(self, answer=None):
        """Delta links that were handed out are too old from now on."""
        with self.lock:
            self.oldest_state = len(self.changes) + 1
            self.changes.append(("none", "", None))
            self.expired = answer or self.expired

    def fault(self, path, status=None, headers=None, body="", cut=None, times=1):
        """The next requests for that path get this instead; `cut`: octets of the right answer before the connection ends."""
        with self.lock:
            self.faults.append(Fault(path, status, headers or {}, body, cut, [times]))

    def asked(self, path):
        return [each for each in self.requests if each.path.startswith(path)]

    # What follows is called by handlers.

    def fault_for(self, path):
        with self.lock:
            for each in self.faults:
                if path.startswith(each.path) and each.times[0] > 0:
                    each.times[0] -= 1
                    return each
        return None

    def answer(self, request):
        path, _, query = request.path.partition("?")
        if path.endswith("/oauth2/v2.0/token"):
            return self.token(request, path)
        if request.fields.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise graph_error(401, "InvalidAuthenticationToken", "Access token is missing or has expired.")
        words = path.strip("/").split("/")
        if len(words) != 3 or words[0] != "v1.0" or words[1] not in self.objects:
            raise graph_error(400, "BadRequest", "Resource not found for the segment.")
        if words[1] not in self.permissions:
            raise graph_error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        arguments = dict(urllib.parse.parse_qsl(query))
        with self.lock:
            if words[2] == "delta":
                return self.delta(words[1], arguments)
            if words[2] not in self.objects[words[1]]:
                raise graph_error(404, "Request_ResourceNotFound", "Resource does not exist.")
            return self.told(words[1], words[2], arguments["$select"].split(","))

    def token(self, request, path):
        form = request.form
        if path != f"/{TENANT}/oauth2/v2.0/token":
            raise token_error(400, "invalid_request", "AADSTS90002: Tenant not found. Trace ID: x")
        if form.get("client_id") != CLIENT:
            raise token_error(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
        if form.get("grant_type") != "client_credentials" or form.get("scope") != f"{self.url}/.default":
            raise token_error(400, "invalid_scope", "AADSTS70011: The provided request must include a 'scope' input parameter.")
        if "client_assertion" in form:
            self.verify(form)
        elif form.get("client_secret") != SECRET:
            raise token_error(401, "invalid_client", "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the value.")
        token = f"ey{uuid.uuid4().hex}.x_-"
        self.tokens.add(token)
        return {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}

    def verify(self, form):
        """The assertion's signature with the certificate that was uploaded, by openssl; and its claims."""
        header, payload, signature = form["client_assertion"].split(".")
        claims, head = json.loads(unpadded(payload)), json.loads(unpadded(header))
        certificate = self.application_certificate
        good = form.get("client_assertion_type") == ASSERTION and certificate is not None and head["alg"] == "PS256"
        if good:
            der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
            signed, by = self.folder / "signed", self.folder / "signature"
            public = self.folder / "public.pem"
            signed.write_text(f"{header}.{payload}")
            by.write_bytes(unpadded(signature))
            public.write_bytes(subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True, capture_output=True).stdout)
            good = unpadded(head["x5t#S256"]) == hashlib.sha256(der).digest() and subprocess.run(
                ["openssl", "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-verify", public, "-signature",
                 by, signed], check=False, capture_output=True).returncode == 0
        now = time.time()
        if not good or claims["aud"] != f"{self.url}/{TENANT}/oauth2/v2.0/token" or claims["iss"] != CLIENT or claims["sub"] != CLIENT:
            raise token_error(401, "invalid_client", "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered.")
        if not claims["nbf"] - 300 <= now <= claims["exp"]:
            raise token_error(401, "invalid_client", "AADSTS700024: Client assertion is not within its valid time range.")

    def told(self, kind, id, select):
        return {name: value for name, value in self.objects[kind][id].items() if name in select}

    def delta(self, kind, arguments):
        if "$skiptoken" in arguments:
            pages, end, select = self.walks[arguments["$skiptoken"]]
        else:
            if "$deltatoken" in arguments:
                state, _, chosen = arguments["$deltatoken"].partition("-")
                if int(state) < self.oldest_state:
                    raise self.expired
                select = chosen.split(".")
                changed = {id: reason for of, id, reason in self.changes[int(state):] if of == kind}
            else:
                select = arguments["$select"].split(",")
                changed = {id: None for id in self.objects[kind]}
            ids = list(changed.items())
            pages = [ids[at:at + self.page_size] for at in range(0, len(ids), self.page_size)] or [[]]
            if self.empty_pages:
                pages = [page for each in pages for page in (each, [])]
            if self.repeat:
                pages.append(ids)
            end = f"{len(self.changes)}-{'.'.join(select)}"
        objects = []
        for id, reason in pages[0]:
            if id not in self.objects[kind]:
                objects.append({"id": id, "@removed": {"reason": reason or "changed"}})
            else:
                objects.append(self.told(kind, id, [each for each in select if not self.partial or each in ("id", "mail")]))
        out = {"@odata.context": f"{self.url}/v1.0/$metadata#{kind}", "value": objects}
        base = f"{self.link_to or self.url}/v1.0/{kind}/delta?"
        if len(pages) > 1:
            token = uuid.uuid4().hex
            self.walks[token] = (pages[1:], end, select)
            out["@odata.nextLink"] = f"{base}$skiptoken={token}"
        else:
            out["@odata.deltaLink"] = f"{base}$deltatoken={end}"
        return out


class GraphHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    graph = None

    def log_message(self, format, *args):
        pass

    def handle_request(self):
        length = int(self.headers.get("Content-Length", 0))
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        request = Request(self.command, self.path, dict(self.headers), form)
        self.graph.requests.append(request)
        fault = self.graph.fault_for(self.path)
        if fault is not None and fault.status is not None:
            self.send(fault.status, fault.body, fault.headers)
            return
        try:
            status, body, headers = 200, self.graph.answer(request), {}
        except Refused as refused:
            status, body, headers = refused.status, refused.body, refused.headers
        self.send(status, body, headers, cut=None if fault is None else fault.cut)

    do_GET = do_POST = handle_request

    def send(self, status, body, headers, cut=None):
        octets = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        if cut is None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(octets)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(octets)
            return
        if cut > 0:
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets[:cut])
            self.wfile.flush()
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)


class Proxy:
    """An HTTP proxy that tunnels by CONNECT on loopback; with `user` and `password` it wants them (RFC 7617)."""

    def __init__(self, user="", password=""):
        self.wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else None
        self.tunnels, self.heads = [], []
        self._accepting = Accepting(self.serve)
        self.url = f"http://127.0.0.1:{self._accepting.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._accepting.end()

    def serve(self, client):
        with client:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    octets = client.recv(4096)
                    if not octets:
                        return
                    head += octets
                text = head.decode()
                self.heads.append(text)
                if self.wanted is None or f"Proxy-Authorization: {self.wanted}\r\n" in text:
                    break
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
            method, target, _ = text.split(" ", 2)
            assert method == "CONNECT"
            host, _, port = target.rpartition(":")
            self.tunnels.append(target)
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self.pump, args=(server, client), daemon=True)
                back.start()
                self.pump(client, server)
                back.join()

    @staticmethod
    def pump(source, target):
        try:
            while octets := source.recv(65536):
                target.sendall(octets)
        except OSError:
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
