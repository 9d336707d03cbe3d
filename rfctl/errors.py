"""Every error a user can meet, as one tree; the exit code of a command follows from the branch."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_BAD_VERDICT = 1
EXIT_USAGE = 2
EXIT_STOPPED = 3
EXIT_DEVICE = 4
EXIT_INTERNAL = 5


class RfctlError(Exception):
    """An error with its place and its remedy.

    Args:
        what: What happened, with the numbers.
        where: The place: a file and path, an address, a register. Empty where there is none.
        remedy: What the user can do next. Empty where there is nothing.
    """

    exit_code = EXIT_INTERNAL

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.remedy}" if self.remedy else text


class ConfigError(RfctlError):
    """A station, profile, plan, answers file or option that cannot be accepted."""

    exit_code = EXIT_USAGE


class RefusedError(RfctlError):
    """Energy was refused: by the gate, an interlock or a missing permit."""

    exit_code = EXIT_STOPPED


class LinkError(RfctlError):
    """The link to the generator failed; the state of the output is unknown."""

    exit_code = EXIT_DEVICE


class LinkTimeout(LinkError):
    """No reply within the deadline; the link is dirty until it has been drained or reopened."""


class LinkClosed(LinkError):
    """The connection is gone; only a new connection can go on, and everything is unknown."""


class LinkPreempted(LinkError):
    """A STOP overtook the request; its reply, if any, is not believed."""


class BadReply(LinkError):
    """A reply that does not belong to its request: function, address, count or length differ."""


class DeviceError(RfctlError):
    """The generator answered, and the answer rules out going on.

    Args:
        what: As for every error.
        where: As for every error.
        remedy: As for every error.
        keys: Dotted paths into the generator's profile of what may be wrong there, ``write.mode``; the likeliest first.
    """

    exit_code = EXIT_DEVICE

    def __init__(self, what: str, *, where: str = "", remedy: str = "", keys: tuple[str, ...] = ()) -> None:
        self.keys = keys
        super().__init__(what, where=where, remedy=remedy)


class DeviceRefused(DeviceError):
    """The generator refused a request by name (a Modbus exception, an ERR line)."""


class WrongDevice(DeviceError):
    """The generator is not the one that the station and the profile describe."""


class ReadBackMismatch(DeviceError):
    """A written value was read back different."""


class RecordError(RfctlError):
    """The record cannot be written or read."""

    exit_code = EXIT_DEVICE
