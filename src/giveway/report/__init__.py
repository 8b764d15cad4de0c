"""Results for people: a page, Markdown, and what moved between two of them."""
