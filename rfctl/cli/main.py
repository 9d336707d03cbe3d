"""The command line: a lazy group, so that --help loads no command, and errors as texts with exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rfctl import __version__
from rfctl.cli import contributed
from rfctl.errors import EXIT_INTERNAL, EXIT_STOPPED, EXIT_USAGE, RfctlError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "demo": ("rfctl.cli.demo:demo", "One whole procedure on the simulator, over a real socket."),
    "run": ("rfctl.cli.run:run", "One procedure by station file and plan."),
    "serve": ("rfctl.cli.serve:serve", "The service of a station, without a terminal."),
    "attach": ("rfctl.cli.attach:attach", "Watch the service of a station; STOP is open."),
    "reset": ("rfctl.cli.reset:reset", "Reset what an interlock has latched, by what its class demands."),
    "stop": ("rfctl.cli.stop:stop", "Turn everything off, whoever runs the station; wait until that is measured."),
    "plan": ("rfctl.cli.plan:plan", "Write, check and show plans, with what they will ask for."),
    "check": ("rfctl.cli.check:check", "Check a generator against its profile."),
    "record": ("rfctl.cli.record:record", "Verify or replay a record."),
    "trace": ("rfctl.cli.trace:trace", "Show what crossed the wire, or play it to the driver again."),
    "safety": ("rfctl.cli.safety:safety", "Hazards, their controls, and how each was proved."),
    "config": ("rfctl.cli.config:config", "Check a station, profile, plan or answers file."),
    "accounts": ("rfctl.cli.accounts:accounts", "Who may do what at a station: names, roles, passwords."),
    "keys": ("rfctl.cli.keys:keys", "Keys of a station's record: root, epochs, what others verify with."),
    "anchor": ("rfctl.cli.anchor:anchor", "Keep heads of records where their station cannot rewrite them."),
    "ports": ("rfctl.cli.ports:ports", "List the serial ports by names that stay, and who uses them."),
}


class LazyGroup(click.Group):
    """Lists its commands by what is written here and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *contributed.find()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return contributed.load(COMMANDS[cmd_name][0])
        place = contributed.find().get(cmd_name)
        return contributed.load(place) if place else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, text) for name, (_, text) in COMMANDS.items()]
        rows += [(name, f"Contributed by {place.partition('.')[0]}.") for name, place in contributed.find().items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rfctl")
def cli() -> None:
    """Control and log radiofrequency lesion generators: bench, research and logging software.

    Example: rfctl demo --fast

    Exit codes: 0 done; 1 the verdict is bad; 2 usage, configuration or input; 3 energy was stopped or refused by an
    interlock or a person; 4 the link or the device; 5 internal error.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``rfctl``; every error becomes a text on standard error and an exit code."""
    try:
        code = cli.main(args=arguments, prog_name="rfctl", standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        code = EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_STOPPED
    except RfctlError as problem:
        click.echo(f"rfctl: {problem}", err=True)
        code = problem.exit_code
    except BrokenPipeError:
        code = EXIT_USAGE
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("rfctl: internal error; please report it with the lines above", err=True)
        code = EXIT_INTERNAL
    sys.exit(code if isinstance(code, int) else 0)
