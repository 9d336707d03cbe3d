"""What can go wrong, as data: one table of faults for each part of the machine."""
