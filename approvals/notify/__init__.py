"""Notices: what people are told of, in the product, by webhook and by e-mail."""
