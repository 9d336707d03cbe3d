"""Long campaigns that put the whole service through what a seed says; ``python -m tests.assurance --help``."""
