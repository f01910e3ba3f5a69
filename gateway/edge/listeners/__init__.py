"""One module per protocol the edge listens for."""
