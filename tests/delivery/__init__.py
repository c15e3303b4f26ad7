"""Delivery: decisions, pace, threads, sockets, dead letters."""
