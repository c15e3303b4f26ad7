"""Endpoints: defaults resolved, and the application id from the file, a credential or the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from logship.config.models import EndpointModel
from logship.config.secret import Cloak
from logship.config.values import environment_proxy, normalised
from logship.endpoint import Api, Compression, Endpoint, Secret, is_moesif
from logship.errors import Severity
from logship.process.loopback import is_loopback
from logship.records import record
from logship.sections import UnfitError

MOESIF_MAX_AGE_S = 30 * 86_400.0  # the hosted service rejects older events
RUNNING_CREDENTIALS = Path("/run/credentials")  # systemd's copies, made when the service starts
IN_CREDENTIAL = "into /etc/logship/application_id (or what LoadCredential= of the unit names) and restart the service"
SHELL_VARIABLE = re.compile(r"\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)\Z")

Report = Callable[[str, str, str, Severity], None]  # key, message, hint, severity


@record
class EndpointBuilder:
    """Makes an Endpoint of the file's keys; mistakes go to `report(key, message, hint, severity)`."""

    environ: Mapping[str, str]
    directory: Path
    cloak: Cloak
    is_sending: bool
    credential: str = "application_id"

    def build(self, model: EndpointModel, report: Report) -> Endpoint:
        url, parts = self._url(model, report)
        age = model.max_event_age
        if age == "auto":
            age = MOESIF_MAX_AGE_S if is_moesif(url) else None
        if model.client_key and not model.client_cert:
            report("client_key", "client_key is set, client_cert is not", "give both", "error")
        return Endpoint(
            url=url,
            api=Api(model.api),
            application_id=self._application_id(model, report) if self.is_sending else None,
            compression=Compression(model.compression),
            max_event_age_s=age,
            timeout_s=model.timeout,
            remote_config=model.remote_config,
            connection_max_age_s=model.connection_max_age,
            ca_file=self._file(model, "ca_file", report),
            client_cert=self._file(model, "client_cert", report),
            client_key=self._file(model, "client_key", report),
            proxy=model.proxy or self._environment_proxy(parts, report),
        )

    def _environment_proxy(self, parts: SplitResult, report: Report) -> str | None:
        given = environment_proxy(parts, self.environ)
        if given is None:
            return None
        try:
            return normalised(given if "://" in given else f"http://{given}", may_hold_password=True)
        except UnfitError as exc:
            if self.is_sending:
                report("url", f"the environment's proxy: {exc}", exc.hint, "error")
            return None

    def _url(self, model: EndpointModel, report: Report) -> tuple[str, SplitResult]:
        if model.url is None:
            if self.is_sending:
                hint = "say where events go, e.g.  url: https://api.moesif.net"
                report("url", "endpoint.url is missing", hint, "error")
            return "", urlsplit("")
        parts = urlsplit(model.url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            report("url", "http sends events and the application id readable by all", "use https", "warning")
        return model.url, parts

    def _application_id(self, model: EndpointModel, report: Report) -> Secret | None:
        if model.application_id is not None:
            self.cloak.hide(model.application_id)
            if model.application_id_file is not None:
                report("application_id_file", "application_id is set too and counts", "remove one of them", "warning")
            remedy = "put the right one into endpoint.application_id and reload"
            return self._checked(Secret(model.application_id, remedy=remedy), "application_id", report)
        if model.application_id_file is not None:
            path = self.directory / model.application_id_file
            return self._from_file(path, "application_id_file", report)
        credentials, value = self.environ.get("CREDENTIALS_DIRECTORY"), self.environ.get("LOGSHIP_APPLICATION_ID")
        if credentials and (path := Path(credentials) / self.credential).exists() and not (value and _is_empty(path)):
            return self._from_file(path, "application_id", report)
        if value:
            self.cloak.hide(value)
            remedy = "put the right one into $LOGSHIP_APPLICATION_ID and restart"
            return self._checked(Secret(value, remedy=remedy), "application_id", report)
        report(
            "application_id",
            "endpoint.application_id is missing",
            'add  application_id: "${env:MOESIF_ID}"  or application_id_file, or set $LOGSHIP_APPLICATION_ID',
            "error",
        )
        return None

    def _from_file(self, path: Path, key: str, report: Report) -> Secret | None:
        is_copy = path.is_relative_to(RUNNING_CREDENTIALS)
        where = IN_CREDENTIAL if is_copy else f"into {path}, it is read again before each try"
        try:
            secret = Secret.from_file(path, f"put the right one {where}")
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
            report(key, f"endpoint.{key}: {path}: {reason}", "name a file that logship may read", "error")
            return None
        self.cloak.hide(secret.reveal())
        if not secret:
            hint = f"put it {IN_CREDENTIAL if is_copy else 'there'}"
            report(key, f"no application id: {path} is empty", hint, "error")
            return None
        return self._checked(secret, key, report)

    def _checked(self, secret: Secret, key: str, report: Report) -> Secret | None:
        """The secret if a header can carry it; a mistake is reported without showing it."""
        value = secret.reveal()
        if not value:
            report(key, f"endpoint.{key} is empty", "put the application id there", "error")
        elif SHELL_VARIABLE.match(value):
            report(key, f"endpoint.{key} is the name of a variable", 'write "${env:NAME}" for what it holds', "error")
        elif any(not "!" <= char <= "~" for char in value):
            report(key, f"endpoint.{key} holds a blank or a character no header can carry", "copy it again", "error")
        else:
            return secret
        return None

    def _file(self, model: EndpointModel, key: str, report: Report) -> Path | None:
        name: str | None = getattr(model, key)
        if name is None:
            return None
        path = self.directory / name
        try:
            path.open("rb").close()
        except OSError as exc:
            report(key, f"endpoint.{key}: {path}: {exc.strerror}", "name a PEM file that logship may read", "error")
        return path


def _is_empty(path: Path) -> bool:
    """Whether it is empty, like the unit's default for a credential that is not set."""
    try:
        return not path.read_bytes().strip()
    except OSError:
        return False


def hide_application_ids(tree: Mapping[str, object], path: str, environ: Mapping[str, str], cloak: Cloak) -> None:
    """Puts every application id of this config under the cloak, even if other keys are wrong."""
    entries = tree.get("sources")
    holders = [tree, tree.get("endpoint"), *(entries if isinstance(entries, list) else [])]
    holders += [entry.get("endpoint") for entry in holders if isinstance(entry, dict)]
    for holder in holders:
        if not isinstance(holder, dict):
            continue
        if isinstance(value := holder.get("application_id"), str):
            cloak.hide(value)
        if isinstance(name := holder.get("application_id_file"), str):
            with suppress(OSError, UnicodeDecodeError):  # reported where the endpoint is built
                cloak.hide(Secret.from_file(Path(path).parent / name).reveal())
    cloak.hide(environ.get("LOGSHIP_APPLICATION_ID", ""))
