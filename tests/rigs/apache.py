"""A private Apache httpd.

    with Apache(tmp_path / "apache", [AccessLog("access.log", COMBINED)]) as apache:
        Load(apache.port, 5_000).start().join()

The unique id of a request is `%{UNIQUE_ID}e`: put it into the format (COMBINED ends in it).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.rigs.machine import lacking, require
from tests.rigs.servers import AccessLog, WebServer

COMBINED = '%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" "%{UNIQUE_ID}e"'
MODULE_DIRS = (Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules"))
MODULES = ("mpm_event", "authz_core", "unique_id", "setenvif", "dir", "alias")


class Apache(WebServer):
    """httpd in the foreground as this user; as root its workers are www-data, like Debian's."""

    def __init__(self, directory: Path, logs: Sequence[AccessLog] = (AccessLog("access.log", COMBINED),)) -> None:
        self.program = require("apache2")
        found = [folder for folder in MODULE_DIRS if (folder / "mod_unique_id.so").exists()]
        if not found:
            lacking("Apache's modules are not installed: apt-get install apache2")
        self.modules = found[0]
        super().__init__(directory, logs)
        self.root = directory / "www"
        self.root.mkdir(exist_ok=True)
        (self.root / "index.html").write_text("ok")

    def _config(self) -> str:
        here = self.directory
        return f"""
ServerRoot {here}
ServerName localhost
PidFile {self.pid_file}
DefaultRuntimeDir {here}/tmp
Mutex file:{here}/tmp
{"User www-data" if os.geteuid() == 0 else ""}
{"Group www-data" if os.geteuid() == 0 else ""}
Listen 127.0.0.1:{self.port}
{"".join(f"LoadModule {name}_module {self.modules}/mod_{name}.so{os.linesep}" for name in MODULES)}
StartServers 2
MaxRequestWorkers 50
ThreadsPerChild 25
KeepAlive On
MaxKeepAliveRequests 0
GracefulShutdownTimeout 5
DocumentRoot {self.root}
<Location "/">
  Require all granted
</Location>
AliasMatch "^/(?!status/).*" {self.root}/index.html
RedirectMatch 404 "^/status/404$"
RedirectMatch 410 "^/status/410$"
ErrorLog {here}/error.log
LogFormat "%{{UNIQUE_ID}}e" truth
CustomLog {self.truth} truth
{"".join(self._log(number, log) for number, log in enumerate(self.logs))}
"""

    def _log(self, number: int, log: AccessLog) -> str:
        quoted = log.format.replace("\\", "\\\\").replace('"', '\\"')
        return f'LogFormat "{quoted}" log{number}\nCustomLog {self.log_path(log.name)} log{number}\n'

    def _command(self, config: Path) -> list[str]:
        return [self.program, "-f", str(config), "-DFOREGROUND"]

    def start(self) -> None:
        self._open_way_to_root()
        super().start()

    def _open_way_to_root(self) -> None:
        """pytest's directories are for their owner only; httpd's workers as www-data must reach the document root."""
        if os.geteuid() != 0:
            return
        for folder in (self.root, *self.root.parents):
            mode = folder.stat().st_mode
            if folder.owner() == "root" and mode & 0o700 == 0o700 and not mode & 0o001:
                folder.chmod(mode & 0o7777 | 0o011)
