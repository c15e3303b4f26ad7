"""What every test shares: hypothesis profiles, the seed, authorities made once, and no way off this machine."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from logship import kernel
from tests.rigs.certificates import Authority
from tests.rigs.machine import require
from tests.rigs.network import stay_on_loopback

__all__ = ["require"]

LONGEST_ID = 80  # of a parameter in a test's name

# A busy machine makes a healthy example slow: no deadlines, the whole test has pytest's timeout.
settings.register_profile(
    "local", deadline=None, print_blob=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
# Continuous integration tries the same examples in every run, so that a failure belongs to the change under test.
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.register_profile("short", settings.get_profile("ci"), max_examples=12)  # under sanitizers
settings.register_profile("soak", settings.get_profile("local"), max_examples=5_000)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Picks the profile (HYPOTHESIS_PROFILE) and, but in CI, a seed: the same for all worker processes."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so do shells start background jobs; tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    profile = os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "local")
    settings.load_profile(profile)
    if profile != "ci" and getattr(config.option, "hypothesis_seed", None) is None:
        config.option.hypothesis_seed = random.randrange(2**32)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What converts lines, and the seed that repeats this run's hypothesis examples."""
    seed = config.option.hypothesis_seed
    if seed is None:
        drawn = "the same examples in every run; --hypothesis-seed=0 or any other number draws others"
    else:
        drawn = f"repeat these examples with --hypothesis-seed={seed}"
    return [kernel.described(), f"hypothesis: {drawn}"]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values by their length: gzip writes the second into its header, and all processes need the same names."""
    if isinstance(val, bytes | str) and len(val) > LONGEST_ID:
        return f"{argname} of {len(val)}"
    return None


@pytest.fixture(scope="session", autouse=True)
def _no_way_out() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stay_on_loopback(patch)
        yield


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Senders and their guard end with their test: one that runs on slows every later test of its process."""
    yield
    for thread in threading.enumerate():
        if thread.name == "watchdog" or thread.name.startswith("sender-"):
            thread.join(10.0)
            assert not thread.is_alive(), f"{thread.name} outlives its test: close what was opened"


@pytest.fixture(autouse=True)
def _what_is_logged_is_the_tests_own_choice() -> Iterator[None]:
    """Backfill's workers and a run in this process quieten logship's logger: the next test must not inherit that."""
    log = logging.getLogger("logship")
    level = log.level
    yield
    log.setLevel(level)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts, until told to."""
    return Authority.make(tmp_path_factory.mktemp("stranger"))
