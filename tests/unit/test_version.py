"""The source, the installed package and its library are of one version."""

from __future__ import annotations

import importlib.metadata

import giveway.version
from giveway import page


def test_the_installed_version_is_the_one_in_the_source() -> None:
    assert importlib.metadata.version("giveway") == giveway.version.__version__


def test_the_library_and_the_package_are_of_one_version() -> None:
    assert page.library().gw_version().decode() == giveway.__version__
