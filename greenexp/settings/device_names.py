"""Whether a device is the one that a preset speaks of."""

from __future__ import annotations

import re


def names(words: str, device_name: str) -> bool:
    """Tells whether `words` stand in a device's name as whole words, whatever their case.

    "L4" names an "NVIDIA L4" and not an "NVIDIA L40S".
    """
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", device_name, re.IGNORECASE) is not None
