"""An authority and certificates for servers of tests, made with openssl in a folder."""

import pathlib
import subprocess


class Authority:
    """`begun_days_ago`: its certificates are good since then, for clocks that are late."""

    def __init__(self, folder, name="Test CA", begun_days_ago=0):
        self._clock = ["faketime", "-f", f"-{begun_days_ago}d"] if begun_days_ago else []
        self._days = str(30 + begun_days_ago)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, "-out", self.file,
                  "-days", self._days, "-subj", f"/CN={name}")

    @property
    def text(self):
        return self.file.read_text()

    def issue(self, name, alternatives="IP:127.0.0.1", expired=False):
        """Files (certificate, key) for a subject."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        # `x509 -req -days` takes a negative number: the end lies before the beginning, and both in the past of any clock here.
        self._run("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-out", certificate, "-extfile",
                  extensions, "-days", "-1" if expired else self._days)
        return certificate, key

    def _run(self, *words):
        subprocess.run([*self._clock, "openssl", *map(str, words)], check=True, capture_output=True)
