"""Backfill: old logs, once, in pieces, on all cores or many machines, resumable at any time.

plan.py says which logs there are and which of them are one; assignments.py cuts them into pieces; worker.py works at
one piece, wherever executors.py puts it; driver.py hands pieces out, takes reports, and alone writes what is confirmed.
"""
