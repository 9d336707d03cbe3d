"""Profiles: TOML register maps that say where a generator's quantities lie and what each write of them does."""
