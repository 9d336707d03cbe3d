"""What stands here is other people's: its tests run where it is installed (tests/system/test_third_party.py)."""

collect_ignore_glob = ["*"]
