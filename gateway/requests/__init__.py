"""Proxied requests: admitted, run, ended; the edge's API and the runs of approved calls."""
