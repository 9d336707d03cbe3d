"""The electric field and the heat around one electrode: axisymmetric finite volumes. No clock, no firmware."""
