"""Weights of other projects: reading their files without running anything in them."""
