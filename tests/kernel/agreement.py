"""Kernel and `exact`, side by side on the same lines."""

from __future__ import annotations

from logship import kernel
from logship.conversion import Converter, compile_mapping
from logship.event import Conversion, Window, key_digits
from logship.formats import Format
from logship.kernel import run  # the kernel's, also where tests take it away
from logship.kernel.program import NO_BOUNDS
from logship.mapping import Constants, parse_mapping
from tests.mapping.world import LOG, convert
from tests.rigs.executors import without_kernel


def agreed(made: Converter, *lines: bytes, start: int = 0, window: Window | None = None) -> int:
    """How many lines the kernel did itself; fails where its events are not those of `exact`."""
    found = convert(made, *lines, start=start, window=window)
    with without_kernel():
        expected = convert(made, *lines, start=start, window=window)
    assert shown(found) == shown(expected)
    data = b"".join(line + b"\n" for line in lines)
    encoded = run(
        made.members[0].program, data, start, key_digits(LOG.key), LOG.origin, LOG.path, NO_BOUNDS
    )  # fmt: skip
    return 0 if encoded is None else len(lines) - len(encoded.left)


def done(lines: int) -> int:
    """The same number where there is a kernel, else none."""
    return lines if kernel.IMPLEMENTATION == "native" else 0


def shown(conversion: Conversion) -> list[object]:
    """All that a conversion holds, to compare."""
    return [
        conversion.text, list(conversion.ends), list(conversion.event_lines), list(conversion.line_starts),
        list(conversion.unmatched), conversion.dropped, conversion.sampled_out, conversion.too_old,
        conversion.out_of_range, conversion.left_out,
    ]  # fmt: skip


def all_fields(fmt: Format) -> Converter:
    """A converter whose events hold every field of the format, and all that is derived."""
    names = dict.fromkeys(slot.field for member in fmt.members for slot in member.slots)
    derived = ("start_time", "end_time", "duration", "method", "target", "path", "query", "scheme", "host", "client_ip")
    event = {
        "request": {"time": "$start_time", "verb": "$method", "uri": "${scheme}://${host}${target}"},
        "response": {"time": "$end_time", "status": "$status"},
        "metadata": {f"f{number}": f"${{{name}}}" for number, name in enumerate((*names, *derived))},
    }
    return compile_mapping(parse_mapping({"event": event}), fmt, Constants("web-1", "api"))
