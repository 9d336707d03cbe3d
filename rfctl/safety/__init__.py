"""How each hazard is controlled and proved: the data, and the matrix that a test run fills."""
