"""The native kernel; all else is in setup.cfg. Without a C compiler logship installs without it and works, slower."""

from setuptools import Extension, setup

HEADERS = ["bytes", "core", "crc32", "json", "memo", "program", "times"]

setup(
    ext_modules=[
        Extension(
            "logship.kernel._kernel",
            ["logship/kernel/_kernel.c", "logship/kernel/core.c"],
            depends=[f"logship/kernel/{header}.h" for header in HEADERS],
            define_macros=[("Py_LIMITED_API", "0x030b0000")],
            extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
