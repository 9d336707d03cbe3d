"""The way to a generator: transactions of our own over one descriptor, and the gate that every frame passes."""
