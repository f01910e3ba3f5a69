"""Wire protocols as pure functions: bytes in, values out."""
