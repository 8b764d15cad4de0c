"""Reads and evaluates measurements: records, statistics, bars, verdicts. No torch, no ctypes."""
