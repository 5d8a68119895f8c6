"""A stream of results -> smoothed mood over time. Not built yet; it holds its place in the import contract."""
