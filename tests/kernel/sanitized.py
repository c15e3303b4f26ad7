"""`pytest -p tests.kernel.sanitized`: the native kernel is the module of $LOGSHIP_SANITIZED, built with sanitizers."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader

NAME = "logship.kernel._kernel"

_loader = ExtensionFileLoader(NAME, os.environ["LOGSHIP_SANITIZED"])
_spec = spec_from_loader(NAME, _loader)
assert _spec is not None
_module = module_from_spec(_spec)
_loader.exec_module(_module)
sys.modules[NAME] = _module
