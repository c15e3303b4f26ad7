"""Real programs for tests: private servers on loopback, real rotation, the daemon as a process.

nginx.py      Nginx, MAIN        a private nginx; logs in formats the test gives; a truth log that is never rotated
apache.py     Apache, COMBINED   the same with Apache httpd
servers.py    AccessLog, free_port, and what the servers have in common (start, stop, get, truth_ids, reopen_logs)
load.py       Load               exact counts of requests in the background, over keep-alive connections
logrotate.py  rotate             one run of the real logrotate over one log, in each of its styles
daemon.py     Daemon             `logship run` as a process: start, SIGKILL, SIGTERM, SIGHUP, wait for what it logs
machine.py    require, lacking   skip with the reason when something is missing, fail when nothing may be skipped
machine.py    scaled, in_soak    how much a test does in every run and under `make soak`
waiting.py    wait_until         poll for a condition with a deadline
network.py    stay_on_loopback   no test leaves this machine
"""
