"""Who may do what at a station, and how they prove who they are."""
