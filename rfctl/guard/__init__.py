"""The guard: a second opinion beside the station that holds the interlock relay. No asyncio, no numpy."""
