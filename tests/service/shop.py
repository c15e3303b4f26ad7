"""A machine with nginx, logship and a collector, seen by its administrator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from subprocess import CompletedProcess

from tests.rigs.container import Container
from tests.rigs.documents import block
from tests.rigs.waiting import wait_until

NGINX = """
log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
                '"$http_user_agent" "$request_id"';
log_format truth '$request_id';
server {
  listen 127.0.0.1:80 default_server;
  access_log /var/log/nginx/access.log main;
  access_log /var/log/truth.ids truth;
  location / { return 200 "ok"; }
}
"""
FORMAT = """'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" \
"$http_user_agent" "$request_id"'"""
CONFIG = f"""
endpoint: {{url: "http://127.0.0.1:8080"}}
state_dir: /var/lib/logship
batch: {{max_age: 100ms}}
delivery: {{retry_max: 1s, shutdown_timeout: 3s}}
formats:
  main:
    nginx: {FORMAT.replace(chr(10), " ")}
sources:
  - name: shop
    paths: ["/var/log/nginx/access.log"]
    format: main
    start_at: beginning
    mapping:
      extends: default
      event: {{metadata: {{request_id: $request_id}}}}
"""
LOAD = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 80)
for number in range(int(sys.argv[1])):
    connection.request("GET", f"/p/{number}", headers={"Host": "shop.example.com"})
    connection.getresponse().read()
"""
STORED = """
import json, sqlite3
store = sqlite3.connect("file:/var/lib/logship-collector/collector.db?mode=ro", uri=True)
rows = store.execute("SELECT event FROM events")
print("\\n".join(json.loads(event)["metadata"]["request_id"] for (event,) in rows))
"""
KNOCK = """
import http.client, subprocess
restart = subprocess.Popen(["systemctl", "restart", "logship-collector"])
answered = refused = 0
is_over = False
while not is_over:
    is_over = restart.poll() is not None
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    try:
        connection.request("GET", "/health/probe")
        connection.getresponse().read()
        answered += 1
    except ConnectionRefusedError:
        refused += 1
    except (http.client.HTTPException, OSError):
        pass  # taken by the one that stops: a sender tries again
    connection.close()
print(answered, refused)
"""
APPLICATION_ID = "shop-application-id"
PYTHON = "/usr/lib/logship/bin/python"  # the machine may have none


@dataclass
class Shop:
    """What the administrator can do and see."""

    machine: Container
    first_steps: dict[str, CompletedProcess[str]] = field(default_factory=dict)  # what each said
    was_active_at_first: bool = False

    def serve(self) -> None:
        """nginx with Debian's own log rotation, which gives new logs to www-data:adm with mode 0640."""
        self.machine.shell("rm -f /etc/nginx/sites-enabled/*; useradd -r -M visitor || true")
        self.machine.write("/etc/nginx/conf.d/shop.conf", NGINX)
        self.machine.shell("install -o www-data -g adm -m 640 /dev/null /var/log/nginx/access.log")
        self.machine.run("systemctl", "restart", "nginx")

    def install(self) -> None:
        """The steps of the README, which the package names too, and `configure`."""
        for step in block("README.md", "As a service", "sh").splitlines():
            typed, _, _ = step.replace("./dist/logship_*.deb", "/logship.deb").partition("  #")
            self.first_steps[typed.strip()] = self.machine.run("sh", "-c", typed, input_text=APPLICATION_ID + "\n")
        self.was_active_at_first = self.is_active()
        self.configure()

    def configure(self) -> None:
        """The config and collector that the tests want, started."""
        self.machine.write("/etc/logship/logship.yml", CONFIG)
        self.machine.write("/etc/logship/collector.env", f"LOGSHIP_APPLICATION_ID={APPLICATION_ID}\n", 0o600)
        self.machine.run("systemctl", "enable", "--now", "logship-collector")
        self.machine.run("systemctl", "enable", "logship")
        self.machine.run("systemctl", "restart", "logship")

    def is_active(self, unit: str = "logship") -> bool:
        return self.machine.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"

    def show(self, name: str, unit: str = "logship") -> str:
        return self.machine.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def visit(self, requests: int) -> None:
        """So many requests to the shop, each logged."""
        self.machine.run(PYTHON, "-", str(requests), input_text=LOAD)

    def truth(self) -> list[str]:
        """The ids nginx logged, each once."""
        return sorted(self.machine.shell("cat /var/log/truth.ids").split())

    def stored(self) -> list[str]:
        """The ids in the collector, as often as they stand there."""
        return sorted(self.machine.run(PYTHON, "-", input_text=STORED, check=False).stdout.split())

    def wait_for_everything(self, deadline_s: float = 40.0) -> None:
        """Until the collector has each id of the truth exactly once."""
        try:
            wait_until(lambda: self.stored() == self.truth(), deadline_s, "all nginx logged is stored", every_s=0.3)
        except AssertionError:
            truth, stored = self.truth(), self.stored()
            missing, twice = set(truth) - set(stored), len(stored) - len(set(stored))
            raise AssertionError(
                f"{len(truth)} logged, {len(missing)} missing, {twice} twice\n{self.machine.journal('logship')[-3000:]}"
            ) from None

    def status(self) -> dict[str, object]:
        """What `logship status --json` says."""
        tree: dict[str, object] = json.loads(self.machine.run("logship", "status", "--json", check=False).stdout)
        return tree

    def endpoint(self, path: str) -> tuple[int, str]:
        """Status and body of the daemon's status endpoint."""
        ask = "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 9640, timeout=20)\n"
        ask += "c.request('GET', sys.argv[1]); a = c.getresponse(); print(a.status); print(a.read().decode())"
        shown = self.machine.run(PYTHON, "-c", ask, path).stdout
        status, _, body = shown.partition("\n")
        return int(status), body
