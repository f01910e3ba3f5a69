"""Sealing: secrets at rest, bound to their tenant and column."""
