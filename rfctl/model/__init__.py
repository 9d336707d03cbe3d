"""Values that every layer shares: readings, permits, plans, electrodes. No behaviour beyond their own arithmetic."""
