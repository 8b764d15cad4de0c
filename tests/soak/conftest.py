"""The fixtures of the system tests, for runs that are longer and bet on the clock."""

from tests.system.conftest import (
    built,
    bursts,
    cuda,
    fake,
    regions,
    regions_program,
    serve,
    two_cores,
)

__all__ = ["built", "bursts", "cuda", "fake", "regions", "regions_program", "serve", "two_cores"]
