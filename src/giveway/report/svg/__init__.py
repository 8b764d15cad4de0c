"""Charts as SVG, from small functions and without a plotting library."""
