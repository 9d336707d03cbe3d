"""One station: composition, poll loop, permits and the priority stop path."""
