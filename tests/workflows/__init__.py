"""Tests of the released workflow files."""
