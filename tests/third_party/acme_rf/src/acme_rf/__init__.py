"""rfctl driver for the Acme RF 1."""
