"""How the daemon is doing: one snapshot that `logship status`, /status, /metrics, /healthz and /readyz all show.

observer.Observer(...).observe(...) -> model.Status   on the work thread, from files, deliveries and counters
board.StatusBoard().post(status)                      the work thread leaves it where others can read
server.StatusServer(board, host, port)                threads that only read snapshots
stopped.stopped_status(...) -> model.Status           of a daemon that does not run

Nothing is imported here: a daemon starts with board and server, and needs the rest when somebody asks.
"""
