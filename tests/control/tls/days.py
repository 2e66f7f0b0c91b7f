"""The day of the tests' certificates."""

DAY_MS = 86_400_000
# 2026-03-01 12:00 UTC.
MADE_MS = 1_772_366_400_000
