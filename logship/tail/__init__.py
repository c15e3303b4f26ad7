"""Files: which there are, which is which, what is new in them, and how far they are confirmed.

The route: look() -> read() -> span() -> confirm() -> save(); wait() until there may be more.
Nothing here runs by itself: who owns the Tailer calls it, from one thread.
"""
