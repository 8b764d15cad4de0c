"""What was measured, read back: records, statistics, bars and verdicts; no torch, no ctypes."""
