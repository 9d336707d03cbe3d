"""Faults of the wire: what becomes of requests and replies on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl_sim.catalogue.kinds import FaultKind, Hold, Scope, Site, nothing
from rfctl_sim.catalogue.parameters import Number, Parameter, Parameters, number

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from rfctl_sim.fault_effects import Frame, Grammar, Said

SECONDS: dict[str, Parameter] = {"seconds": Number(2.0, 0.001, 86_400.0, "s")}
CHANCE: dict[str, Parameter] = {"probability": Number(1.0, 0.0, 1.0)}


def _silent(site: Site, parameters: Parameters) -> Hold:
    return lambda: setattr(site.wire, "silent", True)


def _cut(site: Site, parameters: Parameters) -> Hold:
    site.face.cut(None)
    return nothing


def _restore(site: Site) -> None:
    site.face.restore()


def _says(spoil: Callable[[Site, Parameters, bytes], Said]) -> Callable[[Site, Parameters], Hold]:
    """A fault of the bytes of a reply, by its chance."""

    def begin(site: Site, parameters: Parameters) -> Hold:
        chance = number(parameters, "probability")

        def spoiled(said: Said) -> Said:
            out: Said = []
            for late_ns, data in said:
                if site.random.random() < chance:
                    out += [(late_ns + later_ns, piece) for later_ns, piece in spoil(site, parameters, data)]
                else:
                    out.append((late_ns, data))
            return out

        return lambda: site.wire.said.append(spoiled)

    return begin


def _frames(change: Callable[[Grammar, Frame, Random], Frame]) -> Callable[[Site, Parameters], Hold]:
    """A fault of what a reply says, by its chance; its check sum is right."""

    def begin(site: Site, parameters: Parameters) -> Hold:
        chance = number(parameters, "probability")

        def changed(grammar: Grammar, frame: Frame) -> Frame:
            return change(grammar, frame, site.random) if site.random.random() < chance else frame

        return lambda: site.wire.frames.append(changed)

    return begin


def _lost(site: Site, parameters: Parameters) -> Hold:
    chance = number(parameters, "probability")
    return lambda: site.wire.losses.append(lambda: site.random.random() < chance)


def _octets(site: Site, parameters: Parameters) -> bytes:
    return site.random.randbytes(int(number(parameters, "octets")))


def _delayed(site: Site, parameters: Parameters, data: bytes) -> Said:
    return [(round(number(parameters, "delay_s") * NS_PER_S), data)]


def _late(site: Site, parameters: Parameters, data: bytes) -> Said:
    site.wire.held_back.append(data)
    return []


def _cut_short(site: Site, parameters: Parameters, data: bytes) -> Said:
    return [(0, data[: int(number(parameters, "octets"))])]


def _disconnected(site: Site, parameters: Parameters, data: bytes) -> Said:
    site.wire.hang_up = True
    return _cut_short(site, parameters, data)


def _stray(site: Site, parameters: Parameters, data: bytes) -> Said:
    at = site.random.randrange(len(data) + 1)
    return [(0, data[:at] + site.random.randbytes(1) + data[at:])]


def _bit_errors(site: Site, parameters: Parameters, data: bytes) -> Said:
    rate = number(parameters, "rate")
    spoiled = bytearray(data)
    for bit in range(8 * len(data)):
        if site.random.random() < rate:
            spoiled[bit // 8] ^= 1 << bit % 8
    return [(0, bytes(spoiled))]


def _row(
    name: str,
    description: str,
    hazard: str,
    begin: Callable[[Site, Parameters], Hold],
    **parameters: Parameter,
) -> FaultKind:
    """A fault that happens to each reply, or to each request, by chance."""
    return FaultKind(name, description, Scope.WIRE, (hazard,), begin, {**parameters, **CHANCE})


WIRE_FAULTS = (
    FaultKind(
        "no_reply",
        "For so many seconds requests are neither obeyed nor answered.",
        Scope.WIRE,
        ("HZ-17",),
        _silent,
        SECONDS,
    ),
    FaultKind("unit_dead", "Requests are neither obeyed nor answered.", Scope.WIRE, ("HZ-17",), _silent),
    FaultKind(
        "socket_cut",
        "For so many seconds every connection is closed and refused, or the port is gone.",
        Scope.WIRE,
        ("HZ-17",),
        _cut,
        SECONDS,
        end=_restore,
    ),
    _row("request_lost", "A request is neither obeyed nor answered.", "HZ-17", _lost),
    _row("reply_dropped", "A request is obeyed and not answered.", "HZ-16", _says(lambda _, __, ___: [])),
    _row(
        "reply_delayed",
        "A reply comes late.",
        "HZ-18",
        _says(_delayed),
        delay_s=Number(0.5, 0.0, 60.0, "s"),
    ),
    _row(
        "reply_late",
        "A reply comes only with the next request, in its reply's place.",
        "HZ-18",
        _says(_late),
    ),
    _row("reply_duplicated", "A reply comes twice.", "HZ-18", _says(lambda _, __, data: [(0, data), (0, data)])),
    _row(
        "reply_cut",
        "A reply ends after so many octets.",
        "HZ-19",
        _says(_cut_short),
        octets=Number(5.0, 0.0, 300.0),
    ),
    _row(
        "garbage_before",
        "Octets of noise come before a reply.",
        "HZ-19",
        _says(lambda site, parameters, data: [(0, _octets(site, parameters) + data)]),
        octets=Number(8.0, 1.0, 300.0),
    ),
    _row(
        "garbage_after",
        "Octets of noise come after a reply.",
        "HZ-19",
        _says(lambda site, parameters, data: [(0, data + _octets(site, parameters))]),
        octets=Number(8.0, 1.0, 300.0),
    ),
    _row("stray_byte", "An octet comes somewhere in a reply that nobody sent.", "HZ-19", _says(_stray)),
    _row(
        "bit_errors",
        "Bits of a reply are flipped, each by this chance.",
        "HZ-19",
        _says(_bit_errors),
        rate=Number(0.001, 0.0, 1.0),
    ),
    _row(
        "wrong_unit",
        "A reply comes from another unit; over the line protocol it has another number.",
        "HZ-19",
        _frames(lambda grammar, frame, _: grammar.other_unit(frame)),
    ),
    _row(
        "wrong_function",
        "A reply is that to another kind of request.",
        "HZ-19",
        _frames(lambda grammar, frame, _: grammar.other_function(frame)),
    ),
    _row(
        "wrong_count",
        "A reply has a value too few, or of a write says so.",
        "HZ-19",
        _frames(lambda grammar, frame, _: grammar.other_count(frame)),
    ),
    _row(
        "value_corrupted",
        "A value in a reply is spoiled, and the check sum agrees with it.",
        "HZ-19",
        _frames(lambda grammar, frame, random: grammar.other_value(frame, random)),
    ),
    _row(
        "disconnect",
        "The connection ends in the middle of a reply; a new one is accepted at once.",
        "HZ-17",
        _says(_disconnected),
        octets=Number(0.0, 0.0, 300.0),
    ),
)
