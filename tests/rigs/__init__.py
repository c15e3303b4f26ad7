"""Real programs for tests: private servers on loopback, real rotation, the daemon as a process.

nginx.py      Nginx            a private nginx; access logs in formats the test gives; a truth log that is never rotated
apache.py     Apache           the same with Apache httpd
load.py       Load             exact counts of requests in the background, over keep-alive connections
logrotate.py  rotate           one run of the real logrotate over one log, in each of its styles
daemon.py     Daemon           `logship run` as a process: start, SIGKILL, SIGTERM, SIGHUP, wait for what it logs
machine.py    require          skip with the reason when a program is missing, fail when nothing may be skipped
waiting.py    wait_until       poll for a condition with a deadline
"""
