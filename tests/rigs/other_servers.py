"""Servers whose access logs are read as presets: HAProxy, lighttpd, Tomcat.

with Lighttpd(tmp_path / "lighttpd") as server:
    server.get("/x")
lines = server.lines("access.log")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.rigs.machine import lacking, require
from tests.rigs.servers import WebServer, free_port

TOMCAT = Path("/usr/share/tomcat10")
W3C = "date time c-ip cs-method cs-uri-stem cs-uri-query sc-status time-taken cs(User-Agent) cs(Referer) cs(Host)"


class OtherServer(WebServer):
    """A server that writes logs of its own formats and no truth."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, ())

    def lines(self, name: str) -> list[bytes]:
        """The lines of a log so far."""
        path = self.log_path(name)
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


class Haproxy(OtherServer):
    """HAProxy before itself: `option httplog`, as it comes out of standard output."""

    def __init__(self, directory: Path) -> None:
        self.program = require("haproxy")
        super().__init__(directory)

    def lines(self, name: str) -> list[bytes]:
        out = (self.directory / "server.out").read_bytes().split(b"\n")
        return [line for line in out if b"/" in line and line[:1].isdigit()]

    def _config(self) -> str:
        behind = free_port()
        return f"""
global
  log stdout format raw daemon info
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend front
  log global
  option httplog
  option dontlognull
  bind 127.0.0.1:{self.port}
  default_backend app
backend app
  server one 127.0.0.1:{behind}
frontend behind
  bind 127.0.0.1:{behind}
  http-request return status 200 content-type text/plain string ok
"""

    def _command(self, config: Path) -> list[str]:
        return [self.program, "-db", "-f", str(config)]


class Lighttpd(OtherServer):
    """lighttpd with mod_accesslog as it comes."""

    def __init__(self, directory: Path) -> None:
        self.program = require("lighttpd")
        super().__init__(directory)
        (directory / "index.html").write_text("ok")

    def _config(self) -> str:
        return f"""
server.modules = ("mod_accesslog")
server.document-root = "{self.directory}"
server.bind = "127.0.0.1"
server.port = {self.port}
server.errorlog = "{self.directory}/error.log"
accesslog.filename = "{self.log_path("access.log")}"
index-file.names = ("index.html")
"""

    def _command(self, config: Path) -> list[str]:
        return [self.program, "-D", "-f", str(config)]


class Tomcat(OtherServer):
    """Tomcat with its pattern `combined`, and its extended log, which is W3C's."""

    def __init__(self, directory: Path) -> None:
        self.program = require("java", "default-jre-headless")
        if not (TOMCAT / "bin/bootstrap.jar").exists():
            lacking("Tomcat is not installed: apt-get install tomcat10-common")
        super().__init__(directory)
        (directory / "conf").mkdir()
        (directory / "webapps").mkdir()

    def _config(self) -> str:
        name = "org.apache.catalina.valves"
        valve = f'directory="{self.log_dir}" buffered="false" fileDateFormat="" suffix=""'
        host = f"""<Host name="localhost" appBase="webapps">
<Valve className="{name}.AccessLogValve" prefix="access.log" pattern="combined" {valve}/>
<Valve className="{name}.ExtendedAccessLogValve" prefix="w3c.log" pattern="{W3C}" {valve}/>
</Host>"""
        server = f"""<Server port="-1"><Service name="Catalina"><Connector address="127.0.0.1" port="{self.port}"/>
<Engine name="Catalina" defaultHost="localhost">{host}</Engine></Service></Server>"""
        (self.directory / "conf/server.xml").write_text(server)
        return server

    def _command(self, config: Path) -> list[str]:
        jars = os.pathsep.join(str(TOMCAT / "bin" / name) for name in ("bootstrap.jar", "tomcat-juli.jar"))
        fast: Sequence[str] = ("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m")
        places = [f"-Dcatalina.home={TOMCAT}", f"-Dcatalina.base={self.directory}"]
        return [self.program, *fast, *places, "-cp", jars, "org.apache.catalina.startup.Bootstrap", "start"]
