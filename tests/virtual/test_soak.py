"""Many whole procedures, each with noise of its own: none trips, none ends otherwise than planned."""

from __future__ import annotations

import pytest

from tests.commands import Done, rfctl

SEEDS = range(10)
ON_THE_FIELD = 2  # of them; the others stand in three poles, which take a fifth of the time


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Done]:
    """The demonstration once with each seed."""
    folder = tmp_path_factory.mktemp("soak")

    def run(seed: int) -> Done:
        tissue = "field" if seed < ON_THE_FIELD else "poles"
        command = ("demo", "--fast", "--json", "--tissue", tissue, "--seed", str(seed), "--out", f"seed-{seed}")
        return rfctl(*command, cwd=folder)

    return {seed: run(seed) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_demonstration_completes_without_a_trip_whatever_the_noise(
    demonstrations: dict[int, Done], seed: int
) -> None:
    done = demonstrations[seed]
    assert done.exit_code == 0, done.err
    document = done.document
    assert (document["outcome"], document["trips"], document["overruns"]) == ("complete", [], 0)
    for site in document["sites"]:
        assert site["end_reason"] == "delivered as planned"
        assert 79.5 <= site["peak_temperature_c"] <= 83.0
        assert site["seconds_within_2c"] >= 85.0
    warned = [line for line in done.err.splitlines() if "[warning" in line]
    assert [line for line in warned if "code=pad_not_monitored" not in line] == []


def test_no_two_seeds_give_the_same_procedure(demonstrations: dict[int, Done]) -> None:
    energies = {tuple(site["energy_j"] for site in done.document["sites"]) for done in demonstrations.values()}
    assert len(energies) > len(SEEDS) / 2
