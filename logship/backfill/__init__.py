"""Backfill: ships old logs once, in pieces, on all cores or many machines; it can be resumed at any time.

plan.py finds the logs and which of them are the same; split.py cuts them into pieces; worker.py does one piece, on this
machine or on a cluster; driver.py gives pieces out, takes reports, and alone writes what is confirmed.
"""
