"""The route of a line: read, convert, batch, send, confirm; dead letters; one for daemon, backfill and redelivery."""
