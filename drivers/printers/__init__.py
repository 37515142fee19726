"""Printer drivers: one file a transport, chosen by name in the config; what they carry is made in `escpos`."""
