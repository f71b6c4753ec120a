"""Releases: the changelog cut, the version in its places, bills of materials, an annotated tag."""
