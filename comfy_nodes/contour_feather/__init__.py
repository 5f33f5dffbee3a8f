"""Contour feather: a mask grown, with a soft contour."""
