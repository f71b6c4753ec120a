"""Checks a settled bill without its maker: no database, no network, and no code of `settlement`.

What it goes by is docs/settlement.md, "The format", and nothing else of this project.
"""
