"""What a film here may be at most, for those who plan it and those who take the order."""

from __future__ import annotations

# Its sound is mixed in memory: 1.4 GB for an hour.
LONGEST_S = 3600
