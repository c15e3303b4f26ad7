"""Letters that turn round how the text behind them is drawn: what is seen would not be what is there."""

from __future__ import annotations

import re

TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
