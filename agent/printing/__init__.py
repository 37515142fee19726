"""Receipts on their way to the paper: the loop of each printer, what it hears back, and what people decide about jobs."""
