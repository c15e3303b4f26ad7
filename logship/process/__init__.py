"""What one process needs of its machine: signals, the service manager, memory, the log, loopback addresses."""
