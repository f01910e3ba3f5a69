"""Masking: what must not leave is found by model (structure) and by look (content) and replaced in its own type.

Pure: bytes and plans in, bytes and counts out. Carrying bytes and deciding what policy masks is for other rooms.
"""
