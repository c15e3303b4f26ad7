"""What the process needs from its machine: signals, systemd, memory, the log, files, loopback addresses."""
