"""Writes the verifier as one file that can be handed on: ``python -m rfctl_verify.single_file > verify_record.py``."""

from __future__ import annotations

import sys
from importlib.resources import files

PACKAGE = "rfctl_verify"
_OPENING = '''\
"""Verifies a record with one public key, offline. Needs Python 3.11 and cryptography; see --help.

The modules of rfctl_verify, word for word, and at the end what imports them from here.
"""

MODULES = {}
'''
_CLOSING = """
import importlib.abc
import importlib.util
import sys


class FromHere(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in MODULES:
            return None
        return importlib.util.spec_from_loader(name, self, origin=name, is_package=name == "rfctl_verify")

    def exec_module(self, module):
        exec(compile(MODULES[module.__name__], f"<{module.__name__}>", "exec"), module.__dict__)


if __name__ == "__main__":
    sys.meta_path.insert(0, FromHere())
    from rfctl_verify.__main__ import main

    sys.exit(main())
"""


def single_file() -> str:
    """The source of the one file."""
    parts = [_OPENING]
    for path in sorted(files(PACKAGE).iterdir(), key=lambda each: each.name):
        name, dot, ending = path.name.partition(".")
        if (dot, ending) != (".", "py") or name == "single_file":
            continue
        module = PACKAGE if name == "__init__" else f"{PACKAGE}.{name}"
        parts.append(f"\nMODULES[{module!r}] = r'''{path.read_text(encoding='utf-8')}'''\n")
    return "".join([*parts, _CLOSING])


if __name__ == "__main__":
    sys.stdout.write(single_file())
