"""An oracle writes lines and knows them all; receiver, network, log and daemon do their worst; then all is there.

The receiver speaks TLS: its certificate is renewed, and even its authority changes, while batches are under way.

Every line is an obligation: when the faults stop, each has arrived, with the payload it was written with, once by id,
and nothing that was not written; and a fresh line still flows. The seed of a run is printed; LOGSHIP_SEED repeats it.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.end_to_end.shipping import READY
from tests.rigs.certificates import Authority
from tests.rigs.daemon import Daemon
from tests.rigs.receiver import WILD, Receiver
from tests.rigs.waiting import wait_until

LINES = 200_000 if os.environ.get("LOGSHIP_SOAK") else 50_000
DISASTERS = 40 if os.environ.get("LOGSHIP_SOAK") else 16
KINDS = (
    "kill", "terminate", "rotate", "rotate while stopped", "down", "connections dropped", "certificate", "authority",
    "limit", "slow link", "reload", "another address",
)  # fmt: skip
FAULTS = (*WILD, "429:1", "hang:1.5")  # the timeout is shorter
CONFIG = """
endpoint: {{url: "https://{name}:{port}", application_id: oracle, timeout: 1s, ca_file: "{here}/ca.pem"}}
delivery: {{concurrency: 8, retry_initial: 10ms, retry_max: 200ms, shutdown_timeout: 3s}}
batch: {{max_bytes: 40000, max_age: 50ms}}
state_dir: {here}/state
origin: web-1
status: null
sources:
  - {{name: oracle, paths: ["{here}/log/access.log"], format: combined, start_at: beginning}}
"""


NAME = "receiver.test"
RESOLVER = """
import socket
look_up = socket.getaddrinfo
def ask(host, *rest, **options):
    return look_up(open({address!r}).read() if host == {name!r} else host, *rest, **options)
socket.getaddrinfo = ask
"""


class Log:
    """The log an oracle writes: every line is different, and rotation is as logrotate does it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.path = directory / "access.log"
        self.targets: list[str] = []
        self._rotations = 0

    def write(self, count: int) -> None:
        with self.path.open("a") as log:
            for _ in range(count):
                target = f"/item/{len(self.targets)}"
                self.targets.append(target)
                log.write(f'192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET {target} HTTP/1.1" 200 17 "-" "oracle"\n')

    def rotate(self) -> None:
        self._rotations += 1
        for number in range(self._rotations - 1, 0, -1):
            self.path.with_suffix(f".log.{number}").rename(self.path.with_suffix(f".log.{number + 1}"))
        self.path.rename(self.path.with_suffix(".log.1"))
        self.path.touch()


def seed_of_this_run() -> int:
    seed = int(os.environ.get("LOGSHIP_SEED") or random.randrange(2**32))
    print(f"play this again with LOGSHIP_SEED={seed}")  # noqa: T201
    return seed


class Door:
    """The receiver's side of TLS: what it shows, and what the daemon's `ca_file` trusts."""

    def __init__(self, receiver: Receiver, ca_file: Path, authorities: tuple[Authority, Authority]) -> None:
        self._receiver = receiver
        self._ca_file = ca_file
        self._trusted, self._other = authorities
        self._renewals = 0
        self._show(self._trusted)
        self._trust(self._trusted)

    def renew_certificate(self) -> None:
        """Another certificate of the same authority; who is connected keeps the old one until he dials again."""
        self._show(self._trusted)

    def change_authority(self) -> None:
        """A certificate that nobody trusts, and once the daemon said so, the authority it is of."""
        self._trusted, self._other = self._other, self._trusted
        before = self._receiver.distrusted
        self._show(self._trusted)
        self._receiver.drop_connections()
        wait_until(lambda: self._receiver.distrusted > before, 60, "the certificate is refused")
        self._trust(self._trusted)

    def _show(self, authority: Authority) -> None:
        self._renewals += 1
        self._receiver.certificate = authority.certificate(f"receiver-{self._renewals}", f"DNS:{NAME}")

    def _trust(self, authority: Authority) -> None:
        fresh = self._ca_file.with_suffix(".new")
        fresh.write_bytes(authority.pem.read_bytes())
        fresh.rename(self._ca_file)


def test_whatever_fails_every_line_arrives_once_as_it_was_written(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    seed = seed_of_this_run()
    rng = random.Random(seed)
    log = Log(tmp_path / "log")
    disasters = [*KINDS, *rng.choices(KINDS, k=DISASTERS - len(KINDS))]
    rng.shuffle(disasters)
    receiver = Receiver(limit_bytes=30_000)
    door = Door(receiver, tmp_path / "ca.pem", (authority, stranger))
    address = tmp_path / "address"
    address.write_text(receiver.host)
    (tmp_path / "sitecustomize.py").write_text(RESOLVER.format(address=str(address), name=NAME))
    with receiver:
        config = tmp_path / "logship.yml"
        config.write_text(CONFIG.format(name=NAME, port=receiver.port, here=tmp_path))
        with Daemon(config, tmp_path, environ={"PYTHONPATH": str(tmp_path)}) as daemon:
            log.write(1)
            daemon.wait_for_log(READY)
            receiver.go_wild(seed, 0.3, FAULTS)
            for disaster in disasters:
                log.write(LINES // DISASTERS)
                wait_for_events(receiver, len(receiver.events) + rng.randrange(LINES // DISASTERS))
                strike(disaster, daemon, receiver, door, log, address)
            receiver.behave()
            wait_for_events(receiver, len(log.targets))
            log.write(1)
            wait_for_events(receiver, len(log.targets))
            assert daemon.terminate() == 0
        arrived = [event["request"]["uri"].removeprefix("https://web-1") for event in receiver.events]
        assert sorted(arrived) == sorted(log.targets)
        assert receiver.conflicts == []
        assert len(receiver.ids) == len(receiver.events)


def wait_for_events(receiver: Receiver, wanted: int) -> None:
    wait_until(lambda: len(receiver.events) >= wanted, 120, f"{wanted} events at the receiver")


def strike(disaster: str, daemon: Daemon, receiver: Receiver, door: Door, log: Log, address: Path) -> None:
    """One disaster."""
    match disaster:
        case "kill":
            daemon.kill()
            daemon.start()
        case "terminate":
            assert daemon.terminate() == 0
            daemon.start()
        case "rotate":
            log.rotate()
        case "rotate while stopped":
            daemon.kill()
            log.rotate()
            log.write(10)
            log.rotate()
            daemon.start()
        case "connections dropped":
            receiver.drop_connections()
        case "certificate":
            door.renew_certificate()
        case "authority":
            log.write(100)
            door.change_authority()
        case "down":
            receiver.stop()
            log.write(100)
            daemon.kill()
            daemon.start()
            receiver.start()
        case "limit":
            receiver.limit_bytes = None if receiver.limit_bytes else 10_000
        case "slow link":
            receiver.script(*["slow_read:20000"] * 6)  # a whole batch takes two of its seconds
        case "reload":
            daemon.hang_up()
        case "another address":
            receiver.stop()
            receiver.host = "127.0.0.2" if receiver.host == "127.0.0.1" else "127.0.0.1"
            receiver.start()
            address.write_text(receiver.host)
        case _:
            raise AssertionError(disaster)
