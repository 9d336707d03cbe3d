"""Stale or wrong replies that were believed in the fuzz of benchmarks/fuzz.py: by this link, by pymodbus's client."""

from __future__ import annotations

from importlib.metadata import version

from benchmarks.fuzz import NAMES, WIRES, fuzz, fuzz_pymodbus
from benchmarks.row import Row

FAULTS, QUICK_FAULTS = 35_000, 1_000  # under each of the three framings
PEER_SHARE = 5  # fewer for the peer: enough to see each kind of fault hundreds of times


def rows(*, quick: bool) -> list[Row]:
    faults = QUICK_FAULTS if quick else FAULTS
    ours, peer, believed = 0, 0, []
    for seed, wire in enumerate(WIRES, start=1):
        believed.append(sum(fuzz(wire, faults, seed).believed_wrongly.values()))
        ours += believed[-1]
        peer += sum(fuzz_pymodbus(wire, faults // PEER_SHARE, seed).believed_wrongly.values())
    framings = ", ".join(NAMES[wire] for wire in WIRES)
    return [
        Row(
            f"stale or wrong replies believed, of {faults * len(WIRES):,} faults",
            "1",
            ours,
            [float(each) for each in believed],
            0.0,
            "lower",
            limit=0.0,
            limit_name="none",
            beside={f"pymodbus {version('pymodbus')}, of {faults // PEER_SHARE * len(WIRES):,} faults": peer},
            note=f"The ratio is the count under each framing: {framings}. `make fuzz` has it by kind of fault.",
        )
    ]
