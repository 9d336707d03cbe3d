"""For the tests of others: the contract of a driver, and a simulated generator as a fixture of pytest."""
