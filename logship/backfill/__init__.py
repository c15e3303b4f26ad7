"""Backfill: old logs, once, in pieces, on all cores or many machines, resumable at any time."""
