"""Whether two sources' logs hold the same requests: each would become two events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from logship.records import record

FEWEST_SHARED = 5  # requests, of at least FEWEST_TARGETS: a monitor asks every server for the same page
FEWEST_TARGETS = 3
MOST_SOURCES = 200  # are compared with each other


@record
class NewestRequest:
    """What logs of one server say alike of a request, whatever their formats: who asked what, and in which second."""

    client: str
    verb: str
    target: str
    status: str
    seconds: tuple[str, str]  # of its start and its end: a log without durations has one of them twice

    @classmethod
    def of(cls, event: Mapping[str, object]) -> NewestRequest | None:
        request, response = event.get("request"), event.get("response")
        if not isinstance(request, dict) or not isinstance(response, dict):
            return None
        target = str(request.get("uri", "")).partition("://")[2].partition("/")[2]
        seconds = (str(request.get("time", ""))[:19], str(response.get("time", ""))[:19])
        client, verb = str(request.get("ip_address", "")), str(request.get("verb", ""))
        return cls(client, verb, target, str(response.get("status", "")), seconds)

    def spelled(self) -> Iterator[tuple[str, ...]]:
        """What an equal request has one of."""
        for second in dict.fromkeys(self.seconds):
            yield self.client, self.verb, self.target, self.status, second


def newest_requests(events: Iterable[Mapping[str, object]]) -> tuple[NewestRequest, ...]:
    """The requests of a log's newest events."""
    return tuple(filter(None, map(NewestRequest.of, events)))


def pairs_of_same(seen: Mapping[str, tuple[NewestRequest, ...]]) -> Iterator[tuple[str, str]]:
    """The names of each two sources of which one's requests are in the other, for the time that both tell of."""
    full = {name: requests for name, requests in list(seen.items())[:MOST_SOURCES] if len(requests) >= FEWEST_SHARED}
    for (first, ours), (second, theirs) in combinations(full.items(), 2):
        begin = max(min(one.seconds[1] for one in requests) for requests in (ours, theirs))
        end = min(max(one.seconds[1] for one in requests) for requests in (ours, theirs))
        fewer, more = sorted(
            ([one for one in requests if begin <= one.seconds[1] <= end] for requests in (ours, theirs)), key=len
        )
        known = {key for one in more for key in one.spelled()}
        shared = [one for one in fewer if not known.isdisjoint(one.spelled())]
        targets = {one.target for one in shared}
        if len(shared) >= max(FEWEST_SHARED, 0.9 * len(fewer)) and len(targets) >= FEWEST_TARGETS:
            yield first, second
