"""The configuration of a backfill: logship.yml, or none at all, and a receiver named on the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from logship.config import EndpointSettings, Secret, Settings, config_path, load_settings
from logship.config.endpoints import MOESIF_MAX_AGE_S
from logship.config.settings import is_moesif
from logship.config.urls import normalised
from logship.errors import ConfigError, UsageError
from logship.records import record
from logship.sections import UnfitError

NO_FILE = "the command line"
ID_VARIABLES = ("LOGSHIP_APPLICATION_ID", "CREDENTIALS_DIRECTORY")  # an id may come from there, see endpoints.py


@record
class Target:
    """Where to send, as the command line says it; "" and None leave it to the configuration."""

    url: str = ""
    application_id_file: Path | None = None


def load(config: Path | None, target: Target, environ: Mapping[str, str], *, sending: bool) -> Settings:
    """The settings of the configuration, its receiver replaced by the target where that says so.

    Without any configuration a source takes every log, detects its format and maps it as `default` does.
    Raises: ConfigError, UsageError.
    """
    url, secret = _url(target.url), _secret(target.application_id_file)
    path = config_path(config, environ)
    if config is None and not environ.get("LOGSHIP_CONFIG") and not path.exists():
        if sending and not url:
            raise UsageError(f"there is no {path}; say where events go: --url URL, or -c FILE, or only look: --dry-run")
        if sending and not (secret or any(map(environ.get, ID_VARIABLES))):
            raise UsageError("no application id; give --application-id-file FILE, or set $LOGSHIP_APPLICATION_ID")
        return _bare(target, environ, sending=sending)
    needs_receiver = sending and not (url and secret)
    settings = load_settings(path, environ, sending=needs_receiver)
    if not (url or secret):
        return settings
    sources = tuple(replace(one, endpoint=_aimed(one.endpoint, url, secret)) for one in settings.sources)
    return replace(settings, endpoint=_aimed(settings.endpoint, url, secret), sources=sources)


def _bare(target: Target, environ: Mapping[str, str], *, sending: bool) -> Settings:
    """As a logship.yml with two entries would give them."""
    endpoint: dict[str, str] = {"url": target.url} if target.url else {}
    if target.application_id_file is not None:
        endpoint["application_id_file"] = str(target.application_id_file.absolute())
    source = {"name": "backfill", "paths": ["/**"], "format": "auto", "mapping": "default"}
    with tempfile.NamedTemporaryFile(suffix=".yml") as file:
        file.write(orjson.dumps({"endpoint": endpoint, "sources": [source]}))  # JSON is YAML
        file.flush()
        try:
            settings = load_settings(Path(file.name), environ, sending=sending)
        except ConfigError as exc:
            errors = (one for one in exc.problems if one.severity == "error")
            raise ConfigError(tuple(replace(one, path=NO_FILE, line=None, excerpt="") for one in errors)) from exc
    return replace(settings, problems=())


def _aimed(endpoint: EndpointSettings, url: str, secret: Secret | None) -> EndpointSettings:
    """The endpoint with another receiver: what belongs to the old one (age limit) goes with it."""
    if url:
        age_s = MOESIF_MAX_AGE_S if is_moesif(url) else None
        endpoint = replace(endpoint, url=url, receiver=url, max_event_age_s=age_s)
    return replace(endpoint, application_id=secret) if secret else endpoint


def _url(text: str) -> str:
    try:
        return normalised(text) if text else ""
    except UnfitError as exc:
        raise UsageError(f"--url: {exc.message}; {exc.hint}") from exc


def _secret(path: Path | None) -> Secret | None:
    if path is None:
        return None
    try:
        secret = Secret.from_file(path.absolute())
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--application-id-file: {path}: {getattr(exc, 'strerror', 'is no UTF-8 text')}") from exc
    if not secret or any(not "!" <= char <= "~" for char in secret.reveal()):
        raise UsageError(f"--application-id-file: {path}: holds no application id")
    return secret
