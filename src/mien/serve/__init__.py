"""HTTP, WebSocket and the live page. Not built yet; it holds its place in the import contract."""
