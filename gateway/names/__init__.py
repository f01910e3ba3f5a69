"""People's names, read by a language model in a process of its own; nothing of it is loaded where nobody asks.

What is read and which answers are believed is `gateway.masking.people`'s.
"""
