"""Driver for generators that speak Modbus, as a profile describes them."""
