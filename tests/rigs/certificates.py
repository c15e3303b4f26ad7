"""An authority and certificates of its own for 127.0.0.1, made by openssl once a run."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.machine import require


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a directory; `pem` is what its clients trust."""

    folder: Path

    @property
    def pem(self) -> Path:
        return self.folder / "ca.pem"

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir(exist_ok=True)
        authority = cls(folder)
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-keyout", folder / "ca.key", "-out", authority.pem, "-subj", f"/CN=authority {folder.name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        return authority

    def certificate(self, name: str, alternative: str = "IP:127.0.0.1,IP:::1,DNS:localhost") -> Path:
        """A PEM file with key and certificate, signed by this authority."""
        key, request, signed = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
            "-subj", f"/CN={name}",
        )  # fmt: skip
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", signed,
        )  # fmt: skip
        both = self.folder / f"{name}.pem"
        both.write_text(key.read_text() + signed.read_text())
        return both


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([require("openssl"), *arguments], check=True, capture_output=True)
