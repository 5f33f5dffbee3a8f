"""Tests of the identity nodes."""
