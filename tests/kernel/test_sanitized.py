"""The kernel's C under AddressSanitizer and UndefinedBehaviorSanitizer: the tests, and a minute of libFuzzer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kernel.corpus import write_corpus
from tests.rigs.machine import require, scaled

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "logship" / "kernel"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-std=c11")
NAMES = ("load", "free", "run", "release", "counters", "crc32")
PLAIN = ("-DLS_PLAIN", *(f"-Dls_{name}=plain_{name}" for name in NAMES))  # no blocks, and names of its own
FUZZ_S = scaled(60, 3_600)
LONGEST = 4_096  # bytes of an input
TESTS = ("tests/kernel/test_agreement.py", "tests/kernel/test_known.py", "tests/kernel/test_native.py")
EXAMPLES = "short"  # hypothesis profile: the whole runs without sanitizers


def build(*arguments: str | Path) -> None:
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]


@pytest.mark.timeout(600)
def test_the_tests_pass_with_sanitizers(tmp_path: Path) -> None:
    gcc = require("gcc")
    module = tmp_path / "_kernel.abi3.so"
    include = sysconfig.get_paths()["include"]
    sources = (KERNEL / "_kernel.c", KERNEL / "core.c")
    build(gcc, "-O1", *SANITIZERS, "-shared", "-fPIC", f"-I{include}", *sources, "-o", module)
    library = subprocess.run([gcc, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout
    environ = os.environ | {
        "LOGSHIP_SANITIZED": str(module), "LD_PRELOAD": library.strip(), "HYPOTHESIS_PROFILE": EXAMPLES,
        "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1", "LOGSHIP_KERNEL": "",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.kernel.sanitized", "-p", "no:cacheprovider"]
    skipped = ("-k", "not compiler and not switch")  # they start processes of their own
    done = subprocess.run(
        [*command, *skipped, *TESTS], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4_000:]
    assert re.search(r"^[0-9]+ passed", done.stdout.splitlines()[-1]), done.stdout[-500:]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core built with blocks and without, behind fuzz.c."""
    clang = require("clang")
    directory = tmp_path_factory.mktemp("fuzzer")
    watched = ("-O2", *SANITIZERS, "-fsanitize=fuzzer-no-link", f"-I{KERNEL}")
    objects: list[Path] = []
    for name, flags in (("blocks", ()), ("plain", PLAIN)):
        objects.append(directory / f"{name}.o")
        build(clang, *watched, *flags, "-c", KERNEL / "core.c", "-o", objects[-1])
    source = Path(__file__).with_name("fuzz.c")
    build(clang, "-O2", *SANITIZERS, "-fsanitize=fuzzer", f"-I{KERNEL}", source, *objects, "-o", directory / "fuzz")
    return directory / "fuzz"


@pytest.mark.timeout(FUZZ_S + 300)
def test_no_program_and_no_line_breaks_the_core(fuzzer: Path, tmp_path: Path) -> None:
    assert write_corpus(tmp_path) > 50
    found = _fuzzed(fuzzer, tmp_path, [f"-max_total_time={FUZZ_S}"])
    assert int(re.findall(r"stat::number_of_executed_units: ([0-9]+)", found)[0]) > 1_000, found[-500:]


def test_the_fuzzer_sees_what_is_wrong(fuzzer: Path, tmp_path: Path) -> None:
    """A harness that can't fail proves nothing: with LOGSHIP_FAULT the plain build's text is changed by a byte."""
    write_corpus(tmp_path)
    with pytest.raises(AssertionError, match="check_same"):
        _fuzzed(fuzzer, tmp_path, ["-runs=200"], {"LOGSHIP_FAULT": "1"})


def _fuzzed(fuzzer: Path, directory: Path, options: Sequence[str], environ: dict[str, str] | None = None) -> str:
    (directory / "found").mkdir()
    done = subprocess.run(
        [fuzzer, *options, "-entropic=0", f"-max_len={LONGEST}", "-print_final_stats=1",
         f"-artifact_prefix={directory}/", directory / "found", directory / "inputs"],
        env=os.environ | {"LOGSHIP_PROGRAMS": str(directory / "programs")} | (environ or {}),
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stderr
