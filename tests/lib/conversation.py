"""Conversations with the MailRoute-compatible API, as pairs of a request and its answer in a text file.

    # What is shown.
    > POST /api/v1/domain/
    > {"name": "example.com", "customer": "/api/v1/customer/1/"}
    < 201
    < Location: {server}/api/v1/domain/{domain}/
    < {"id": "=domain", "name": "example.com", "created_at": "?date", "...": "..."}

A request's first line is method and path; then header fields, then a body. `as: NAME` among its fields sends that key, and `as: nobody`
none. An answer's first line is the status; then the header fields that it must have, then its JSON body, which must be the same but for:

    "=name"         whatever it is, kept for `{name}` later on; the same again if it was kept already
    "?date"         a date as MailRoute writes it; "?text", "?int" anything of that kind
    "...": "..."    other members may be there, too (the last of an object); as an array's last element: others may follow
    {name}          stands for what was kept, in requests and answers
"""

import http.client
import json
import re
import ssl

DATE = re.compile(r"(Sun|Mon|Tue|Wed|Thu|Fri|Sat), [1-9]\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
NAME = re.compile(r"\{([a-z_]\w*)\}")


class Server:
    """Where the API is, and the keys that conversations name: {"admin": ("LOGIN", "KEY")}."""

    def __init__(self, port, ca, keys):
        self.port = port
        self.keys = keys
        self._tls = ssl.create_default_context(cafile=ca)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, fields=None, who="admin"):
        """Status, body (parsed if there is one) and header fields."""
        fields = dict(fields or {})
        if who != "nobody":
            login, key = self.keys[who]
            fields.setdefault("Authorization", f"ApiKey {login}:{key}")
        fields.setdefault("Accept", "application/json")
        fields.setdefault("Content-Type", "application/json")
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self._tls)
        try:
            connection.request(method, path, body=body, headers=fields)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert "html" not in answer.headers.get("Content-Type", "") and "<html" not in text, text
        return answer.status, json.loads(text) if text else None, answer.headers


class Exchange:
    """One request and the answer that is expected."""

    def __init__(self, place, request, answer):
        self.place = place
        self.method, self.path = request[0].split(" ", 1)
        self.fields, self.body = self._parts(request[1:])
        self.who = self.fields.pop("as", "admin")
        self.status = int(answer[0])
        self.expected_fields, self.expected = self._parts(answer[1:])

    @staticmethod
    def _parts(lines):
        fields = {}
        for at, line in enumerate(lines):
            if not re.match(r"[A-Za-z-]+: ", line):
                return fields, "\n".join(lines[at:])
            name, value = line.split(": ", 1)
            fields[name] = value
        return fields, ""


def read(file):
    """The exchanges of a conversation."""
    exchanges, request, answer, began = [], [], [], 0
    for number, line in enumerate([*file.read_text().splitlines(), ""], 1):
        if line.startswith("> ") and answer or not line and answer:
            exchanges.append(Exchange(f"{file.name}:{began}", request, answer))
            request, answer = [], []
        if line.startswith("> "):
            began = began if request else number
            request.append(line[2:])
        elif line.startswith("< "):
            answer.append(line[2:])
        else:
            assert not line or line.startswith("#"), f"{file.name}:{number}: {line!r}"
    return exchanges


def fill(text, kept, place=None):
    """The text with what was kept. Without a place, what was not kept yet may stay."""

    def value(match):
        assert place is None or match[1] in kept, f"{place}: nothing was kept as {match[1]}"
        return str(kept.get(match[1], match[0]))

    return NAME.sub(value, text)


def differs(expected, given, kept, at="body"):
    """Where the answer is not what was expected, in words; None if it is."""
    if isinstance(expected, str) and expected.startswith("="):
        if kept.setdefault(expected[1:], given) != given:
            return f"{at} is {given!r}, not {kept[expected[1:]]!r} as before"
        return None
    if isinstance(expected, str) and expected.startswith("?"):
        good = {"?date": isinstance(given, str) and DATE.fullmatch(given), "?text": isinstance(given, str) and given, "?int": type(given) is int}
        return None if good[expected] else f"{at} is {given!r}, not a {expected[1:]}"
    if isinstance(expected, dict) and isinstance(given, dict):
        expected = dict(expected)
        if expected.pop("...", None) is None and set(expected) != set(given):
            return f"{at} has the members {sorted(given)}, not {sorted(expected)}"
        missing = set(expected) - set(given)
        if missing:
            return f"{at} lacks {sorted(missing)}: {given}"
        return next((said for name in expected if (said := differs(expected[name], given[name], kept, f"{at}.{name}"))), None)
    if isinstance(expected, list) and isinstance(given, list):
        more = bool(expected) and expected[-1] == "..."
        wanted = expected[:-1] if more else expected
        if len(wanted) > len(given) or not more and len(wanted) != len(given):
            return f"{at} has {len(given)} elements, not {len(wanted)}: {given}"
        return next((said for number, each in enumerate(wanted) if (said := differs(each, given[number], kept, f"{at}[{number}]"))), None)
    if isinstance(expected, str):
        expected = fill(expected, kept)  # what this very answer has given
    return None if expected == given and type(expected) is type(given) else f"{at} is {given!r}, not {expected!r}"


def hold(server, file, kept=None):
    """Holds the conversation; what was kept. `kept` at the start: names that the file uses."""
    kept = dict(kept or {}, server=server.url)
    for each in read(file):
        path, body = fill(each.path, kept, each.place), fill(each.body, kept, each.place)
        fields = {name: fill(value, kept, each.place) for name, value in each.fields.items()}
        status, given, got = server.ask(each.method, path, body or None, fields, each.who)
        said = f"{each.place}: {each.method} {path}: {status} {json.dumps(given)}"
        assert status == each.status, said
        if each.expected:
            expected = json.loads(fill(each.expected, kept))
            wrong = differs(expected, given, kept)
            assert not wrong, f"{said}\n{wrong}"
        else:
            assert status != 204 or given is None, f"{said}\nis not empty"
        for name, value in each.expected_fields.items():
            wanted = fill(value, kept, each.place) if not value.startswith("=") else value
            wrong = differs(wanted, got.get(name), kept, name)
            assert not wrong, f"{said}\n{wrong}"
    return kept
