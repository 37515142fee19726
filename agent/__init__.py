"""Tillmate: the loyalty agent of the till."""

__version__ = "0.1.0"
