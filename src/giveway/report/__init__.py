"""Reports of results as a page, Markdown or JSON, and the comparison of two results."""
