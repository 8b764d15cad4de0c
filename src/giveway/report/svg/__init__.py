"""Plots as SVG, from small functions, without a plotting library."""
