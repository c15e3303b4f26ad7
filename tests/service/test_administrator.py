"""logship as a service, on a booted Debian: installed, reloaded, hung, killed, stopped, rebooted, removed.

The tests share one machine and stand in the order of an administrator's week; each leaves the service running.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.rigs.waiting import wait_until
from tests.service.shop import APPLICATION_ID, CONFIG, KNOCK, PYTHON, Shop

pytestmark = [pytest.mark.xdist_group("systemd"), pytest.mark.timeout(1_200)]


def test_the_package_brings_a_service_that_delivers(shop: Shop) -> None:
    shop.visit(50)
    shop.wait_for_everything()
    assert shop.is_active()
    assert len(shop.truth()) == 50
    assert "events sent" in shop.show("StatusText")


def test_the_steps_of_the_readme_lead_to_a_running_service(shop: Shop) -> None:
    _, _, configured, _ = shop.first_steps.values()
    assert {step.returncode for step in shop.first_steps.values()} == {0}
    assert "1 source; to continue:" in configured.stderr
    assert "no errors" in configured.stdout, "the service reads the log by the unit's group, and check knows"
    assert "kernel: native\n" in configured.stdout, "the package holds it"
    assert shop.was_active_at_first


def test_the_package_names_the_steps_of_the_readme(shop: Shop) -> None:
    install, application_id, *steps = shop.first_steps
    said = shop.first_steps[install].stdout
    assert application_id.split()[-1] in said
    assert [step for step in steps if step not in said] == []


def test_the_service_runs_as_its_own_user_and_reads_logs_of_group_adm(shop: Shop) -> None:
    listing = shop.machine.shell("stat -c '%U:%G %a' /var/log/nginx/access.log; stat -c '%U %a' /var/lib/logship")
    assert listing.split("\n")[:2] == ["www-data:adm 640", "logship 700"]
    assert shop.machine.shell(f"stat -c %U /proc/{shop.pid}").strip() == "logship"
    assert "adm" not in shop.machine.shell("id -nG logship"), "the membership comes from the unit alone"


def test_the_application_id_is_a_credential_and_shows_nowhere(shop: Shop) -> None:
    everything = shop.machine.shell(
        f"systemctl status logship; journalctl --no-pager -u logship; cat /proc/{shop.pid}/cmdline; logship status"
    )
    assert "shop-application-id" not in everything
    assert shop.machine.run(
        "runuser", "-u", "visitor", "--", "cat", "/etc/logship/application_id", check=False
    ).returncode


def test_status_metrics_and_health_agree(shop: Shop) -> None:
    status = shop.status()
    assert status["state"] == "running"
    assert status["advice"] == []
    assert shop.endpoint("/healthz")[0] == shop.endpoint("/readyz")[0] == 200
    metrics = shop.endpoint("/metrics")[1]
    assert f'logship_lines_sent_total{{source="shop"}} {float(len(shop.truth()))}' in metrics
    assert "process_resident_memory_bytes" in metrics
    assert shop.machine.run("logship", "status").returncode == 0


def test_a_reload_takes_a_right_config_without_losing_a_line(shop: Shop) -> None:
    pid = shop.pid
    extra = '  - {name: second, paths: ["/var/log/second.log"], format: main, mapping: default}\n'
    shop.machine.write("/etc/logship/logship.yml", CONFIG + extra)
    shop.visit(20)
    shop.machine.run("systemctl", "reload", "logship")
    shop.visit(20)
    shop.wait_for_everything()
    wait_until(lambda: "reloaded" in shop.machine.journal("logship"), what="the reload is told")
    assert shop.pid == pid


def test_a_reload_is_good_though_a_log_can_not_be_read(shop: Shop) -> None:
    extra = '  - {name: closed, paths: ["/var/log/closed.log"], format: main, mapping: default}\n'
    shop.machine.shell("install -m 600 /dev/null /var/log/closed.log")
    shop.machine.write("/etc/logship/logship.yml", CONFIG + extra)
    shop.machine.run("systemctl", "reload", "logship")
    wait_until(lambda: "closed.log: Permission denied" in str(shop.status()["advice"]), what="the log is named")
    assert "run: setfacl -m u:logship:r /var/log/closed.log" in shop.machine.journal("logship")
    found = shop.machine.shell("journalctl --no-pager -o cat -u logship -p err PATH=/var/log/closed.log SOURCE=closed")
    assert "Permission denied" in found, "the journal's own fields find it"
    shop.machine.write("/etc/logship/logship.yml", CONFIG)
    shop.machine.run("systemctl", "restart", "logship")
    wait_until(lambda: shop.status()["advice"] == [], what="all is well without it")


def test_a_wrong_config_is_refused_and_the_old_one_stays(shop: Shop) -> None:
    pid = shop.pid
    shop.machine.write("/etc/logship/logship.yml", CONFIG.replace("paths:", "pathes:"))
    reloaded = shop.machine.run("systemctl", "reload", "logship", check=False)
    assert reloaded.returncode != 0, "who typed reload is told"
    shop.visit(20)
    shop.wait_for_everything()
    assert shop.pid == pid
    assert "logship_config_reload_failed_total 1.0" in shop.endpoint("/metrics")[1]
    assert re.search(r"logship\.yml:\d+:\d+: .*pathes", shop.machine.journal("logship"))
    told = shop.machine.shell("journalctl --no-pager -o short -u logship -p err SYSLOG_IDENTIFIER=logship")
    assert "ERROR" in told, "what the reload's check found has its level and the service's name"
    assert "unknown key 'pathes'" in told
    shown = shop.machine.run("logship", "status", "-c", "/etc/logship/logship.yml", check=False)
    assert shown.returncode == 78, "status with a wrong config says what is wrong with it"
    shop.machine.write("/etc/logship/logship.yml", CONFIG)
    shop.machine.run("systemctl", "reload", "logship")
    wait_until(lambda: shop.status()["advice"] == [], what="the fault is forgotten after a right reload")


def test_a_wrong_config_at_start_ends_with_78_and_is_not_tried_again(shop: Shop) -> None:
    shop.machine.write("/etc/logship/logship.yml", CONFIG.replace("paths:", "pathes:"))
    shop.machine.run("systemctl", "restart", "logship", check=False)
    wait_until(lambda: shop.show("ActiveState") == "failed", what="the service failed for good")
    assert shop.show("ExecMainStatus") == "78"
    shop.machine.write("/etc/logship/logship.yml", CONFIG)
    shop.machine.run("systemctl", "start", "logship")
    assert shop.is_active()


def test_an_empty_application_id_is_told_with_the_file_to_fill(shop: Shop) -> None:
    shop.machine.write("/etc/logship/application_id", "\n", 0o600)
    shop.machine.run("systemctl", "restart", "logship", check=False)
    assert "is empty; put it into /etc/logship/application_id" in shop.machine.journal("logship")
    errors = shop.machine.run("journalctl", "--no-pager", "-o", "cat", "-p", "err", "-u", "logship").stdout
    assert "run: not started: /etc/logship/logship.yml" in errors, "with its priority"
    shop.machine.write("/etc/logship/application_id", APPLICATION_ID, 0o600)
    shop.machine.run("systemctl", "restart", "logship")
    assert shop.is_active()


def test_a_second_instance_runs_beside_the_first(shop: Shop) -> None:
    shop.machine.shell("install -o www-data -g adm -m 640 /dev/null /var/log/nginx/other.log")
    written = shop.machine.run("logship", "init", "-o", "/etc/logship/other.yml", "/var/log/nginx/other.log").stderr
    assert "systemctl enable logship@other && systemctl restart logship@other" in written
    shop.machine.write("/etc/logship/other.application_id", "other-id", 0o600)
    shop.machine.shell("systemctl enable logship@other && systemctl restart logship@other")
    assert shop.is_active("logship@other")
    assert shop.is_active()
    assert shop.machine.run("logship", "check", "-c", "/etc/logship/other.yml").returncode == 0, "with its own id"
    status = shop.machine.run("logship", "status", "-c", "/etc/logship/other.yml", "--json", check=False).stdout
    assert json.loads(status)["state_dir"] == "/var/lib/logship-other"
    assert json.loads(status)["state"] == "running"
    shop.machine.run("systemctl", "disable", "--now", "logship@other")


def test_a_hung_daemon_is_restarted_by_the_watchdog_with_a_traceback(shop: Shop) -> None:
    shop.machine.write("/etc/systemd/system/logship.service.d/fast.conf", "[Service]\nWatchdogSec=3s\n")
    shop.machine.shell("systemctl daemon-reload; systemctl restart logship")
    pid = shop.pid
    shop.machine.run("kill", "-STOP", str(pid))
    shop.visit(20)
    wait_until(lambda: shop.pid not in (0, pid) and shop.is_active(), 40, "the watchdog restarts it")
    assert "most recent call first" in shop.machine.journal("logship")
    shop.machine.shell("rm -r /etc/systemd/system/logship.service.d; systemctl daemon-reload")
    shop.wait_for_everything()


def test_a_killed_daemon_comes_back_and_nothing_is_lost_or_twice(shop: Shop) -> None:
    for _ in range(3):
        pid = shop.pid
        shop.visit(30)
        shop.machine.run("kill", "-KILL", str(pid))
        wait_until(lambda before=pid: shop.pid not in (0, before) and shop.is_active(), 40, "systemd restarts it")  # type: ignore[misc]  # bound per round
    shop.visit(30)
    shop.wait_for_everything()


def test_a_stop_is_in_time_while_the_receiver_is_down(shop: Shop) -> None:
    shop.machine.run("systemctl", "stop", "logship-collector")
    shop.visit(40)
    wait_until(lambda: shop.endpoint("/readyz")[0] == 503, what="it is not ready")
    assert shop.endpoint("/healthz")[0] == 200
    shop.machine.run("systemctl", "stop", "logship", timeout_s=25)
    assert shop.show("Result") == "success"
    stopped = shop.machine.run("logship", "status", check=False)
    assert stopped.returncode == 1
    assert "the daemon is stopped" in stopped.stdout
    shop.machine.run("systemctl", "start", "logship-collector", "logship")
    shop.wait_for_everything()


def test_a_collector_behind_its_socket_refuses_nobody_while_it_restarts(shop: Shop) -> None:
    shop.machine.run("systemctl", "stop", "logship-collector")
    shop.machine.run("systemctl", "enable", "--now", "logship-collector.socket")
    assert not shop.is_active("logship-collector")
    shop.visit(20)
    shop.wait_for_everything()
    assert shop.is_active("logship-collector"), "the first connection started it"
    answered, refused = map(int, shop.machine.run(PYTHON, "-", input_text=KNOCK).stdout.split())
    assert answered > 0
    assert refused == 0
    shop.visit(20)
    shop.wait_for_everything()
    shop.machine.run("systemctl", "disable", "--now", "logship-collector.socket")
    shop.machine.run("systemctl", "restart", "logship-collector")
    assert "listening http://127.0.0.1:8080" in shop.show("StatusText", "logship-collector"), "it binds for itself"


def test_logrotate_as_debian_runs_it_does_no_harm(shop: Shop) -> None:
    for _ in range(2):
        shop.visit(30)
        shop.machine.run("logrotate", "--force", "/etc/logrotate.d/nginx")
        shop.machine.run("systemctl", "start", "logrotate.service")
        shop.visit(30)
    shop.wait_for_everything()
    assert len(shop.machine.shell("ls /var/log/nginx/access.log*").split()) == 3


def test_a_reboot_goes_on_where_it_was(shop: Shop) -> None:
    shop.visit(30)
    shop.machine.reboot()
    wait_until(lambda: shop.is_active() and shop.is_active("logship-collector"), 40, "both are started at boot")
    shop.machine.run("systemctl", "start", "nginx")
    shop.visit(30)
    shop.wait_for_everything()


def test_an_upgrade_keeps_config_and_state_and_restarts_what_runs(shop: Shop) -> None:
    pid = shop.pid
    shop.machine.run("dpkg", "-i", "/logship.deb")
    wait_until(lambda: shop.is_active() and shop.pid not in (0, pid), 40, "it runs again")
    assert shop.machine.shell("cat /etc/logship/logship.yml") == CONFIG
    shop.visit(20)
    shop.wait_for_everything()


def test_the_backfill_unit_ships_an_old_file_under_the_same_sandbox(shop: Shop) -> None:
    ids = [f"{number:032x}" for number in range(25)]
    line = '203.0.113.9 - - [10/Oct/2025:13:55:36 +0000] "GET /old HTTP/1.1" 200 17 "-" "curl/8" "{}"\n'
    shop.machine.write("/var/log/nginx/kept.log", "".join(map(line.format, ids)), 0o640)
    shop.machine.shell("gzip /var/log/nginx/kept.log; chgrp adm /var/log/nginx/kept.log.gz")
    shop.machine.run("tee", "-a", "/var/log/truth.ids", input_text="\n".join(ids) + "\n")
    unit = shop.machine.shell("systemd-escape --path --template=logship-backfill@.service /var/log/nginx/kept.log.gz")
    started = shop.machine.run("systemctl", "start", "--wait", unit.strip(), check=False)
    assert started.returncode == 0, shop.machine.journal(unit.strip())
    shop.wait_for_everything()


def test_man_pages_and_completions_are_where_debian_looks(shop: Shop) -> None:
    assert "SYNOPSIS" in shop.machine.shell("man -P cat 1 logship")
    assert "sources" in shop.machine.shell("man -P cat 5 logship.yml")
    assert shop.machine.shell("ls /usr/share/bash-completion/completions/logship")


def test_removing_leaves_state_and_config_and_purging_only_collected_events(shop: Shop) -> None:
    shop.machine.run("dpkg", "--remove", "logship")
    assert not shop.is_active()
    assert not shop.is_active("logship-collector")
    left = shop.machine.shell(
        "find / -xdev -path /proc -prune -o -path '*logship*' -prune -print 2>/dev/null || true"
    ).split()
    allowed = ("/etc/logship", "/var/lib/logship", "/var/lib/logship-collector", "/logship.deb", "/var/cache/man")
    unexpected = [
        path for path in left if not path.startswith(allowed) and not path.startswith(("/var/lib/dpkg", "/sys"))
    ]
    assert unexpected == []
    assert shop.machine.shell("ls /var/lib/logship /etc/logship/logship.yml")
    purged = shop.machine.run("dpkg", "--purge", "logship").stdout
    assert "/var/lib/logship-collector holds collected events and is kept" in purged
    assert shop.machine.shell("ls -d /etc/logship /var/lib/logship* 2>/dev/null || true").split() == [
        "/var/lib/logship-collector"
    ]
    assert shop.machine.shell("stat -c %U /var/lib/logship-collector/collector.db").strip() == "logship"
