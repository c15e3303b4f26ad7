"""Which of several logs that hold the same requests is read, so that each request becomes one event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from logship.servers.served import EVERY_SCOPE, Write

Rank = Callable[[str], tuple[object, ...]]


def left_out(writes: Iterable[Write], rank: Rank) -> dict[str, str]:
    """The paths that are not to be read, and which path holds their requests.

    Shapes: of each scope one log is chosen, among those that all of its requests go to if there are any; what is
    chosen for one scope is chosen for others too. `rank` says how good a log is, the greater the better.
    """
    scopes: dict[str, list[Write]] = {}
    for write in writes:
        scopes.setdefault(write.scope, []).append(write)
    everywhere = scopes.pop(EVERY_SCOPE, [])
    scopes = {scope: [*group, *everywhere] for scope, group in scopes.items()} or {"": everywhere}
    rivals = {scope: _paths(group) for scope, group in scopes.items()}
    chosen: dict[str, None] = {}
    for paths in sorted(rivals.values(), key=len):  # where there is no choice first
        if paths and not chosen.keys() & set(paths):
            twice = {path for others in rivals.values() if chosen.keys() & set(others) for path in others}
            chosen[max(paths, key=lambda path, twice=twice: (path not in twice, *rank(path)))] = None  # type: ignore[misc]
    holders: dict[str, str] = {}
    for scope, group in scopes.items():
        taken = next((path for path in rivals[scope] if path in chosen), "")
        for write in group:
            if taken and write.path != taken and write.path not in chosen:
                holders.setdefault(write.path, taken)
    return holders


def _paths(group: Sequence[Write]) -> list[str]:
    """The logs of a scope that hold all of its requests; none where each log has some of them."""
    return list(dict.fromkeys(write.path for write in group if not write.condition))
