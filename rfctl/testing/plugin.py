"""The plug-in of pytest: the fixture ``rfctl_generator``, a simulated generator for the tests of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.testing.served import ServedGenerator

MARKER = "rfctl_generator"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(channels=2, link='tcp:127.0.0.1:0', seed=0): what the fixture of that name simulates",
    )


@pytest.fixture
def rfctl_generator(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedGenerator]:
    """A simulated generator on a real socket or pty, in a process of its own, on the machine's clock."""
    from rfctl.testing.served import serve

    marker = request.node.get_closest_marker(MARKER)
    options = dict(marker.kwargs) if marker is not None else {}
    positional = list(marker.args) if marker is not None else []
    strange = sorted(options.keys() - {"channels", "link", "seed"}) or positional
    if strange:
        pytest.fail(f"{MARKER} takes channels, link and seed by name, not {strange}")
    with serve(tmp_path_factory.mktemp("rfctl_generator"), **options) as generator:
        yield generator
