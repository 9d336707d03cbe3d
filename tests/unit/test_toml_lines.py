"""A dotted path leads to the line of a TOML file that a person has to look at."""

import tomllib
from pathlib import Path

import pytest

from rfctl.model.shipped import shipped_root
from rfctl.model.toml_lines import line_of, lines_of, place

TEXT = '''# = [not.a.table]
title = "a # and a [bracket"
list = [
  1, # ]
  "x]",
]

[identity]
map_id = { address = 0, type = "u32" }
text = """
[identity.fake]
address = 3
"""
after = 1

[[identity.expect]]
name = "first"

[[identity.expect]]
name = "second"
value = 2

[ write . "all off" ]
"the.value" = 1
values = { off = 0, on = 1 }
dotted.key = 4
'''


@pytest.mark.parametrize(
    ("key", "starts"),
    [
        ("title", "title ="),
        ("list", "list ="),
        ("identity", "[identity]"),
        ("identity.map_id", "map_id ="),
        ("identity.map_id.address", "map_id ="),
        ("identity.after", "after ="),
        ("identity.expect[0].name", 'name = "first"'),
        ("identity.expect[1]", "[[identity.expect]]"),
        ("identity.expect[1].value", "value = 2"),
        ("identity.expect[1].absent", "[[identity.expect]]"),
        ("write.all off", "[ write"),
        ("write.all off.values.on", "values ="),
        ("write.all off.dotted.key", "dotted.key ="),
    ],
)
def test_a_path_leads_to_its_line(key, starts):
    tomllib.loads(TEXT)
    assert TEXT.split("\n")[line_of(TEXT, key) - 1].startswith(starts)


def test_the_second_element_of_an_array_is_not_the_first():
    assert line_of(TEXT, "identity.expect[0]") < line_of(TEXT, "identity.expect[1]")


def test_what_stands_in_strings_is_no_table_and_a_key_that_is_nowhere_leads_to_the_top():
    assert "identity.fake" not in lines_of(TEXT)
    assert line_of(TEXT, "nothing.of.it") == 1


@pytest.mark.parametrize("path", sorted(shipped_root().rglob("*.toml")), ids=lambda path: path.name)
def test_every_key_of_every_shipped_file_has_a_line_that_names_it(path: Path):
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    found = lines_of(text)

    def walk(data, prefix):
        for name, value in data.items():
            key = f"{prefix}.{name}" if prefix else name
            assert any(known == key or known.startswith((f"{key}.", f"{key}[")) for known in found), key
            if isinstance(value, dict) and key in found and "{" not in lines[found[key] - 1]:
                walk(value, key)

    walk(tomllib.loads(text), "")
    assert all(key.rsplit(".", 1)[-1].split("[")[0] in lines[number - 1] for key, number in found.items())
    assert place(path, "absent") == f"{path}:1"
