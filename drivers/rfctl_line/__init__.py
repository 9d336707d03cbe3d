"""Driver for generators that speak rfctl's line protocol."""
