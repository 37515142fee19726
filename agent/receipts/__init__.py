"""Slips as files and pictures: templates of ours and of the retailer, filled in, checked, drawn, printed."""
