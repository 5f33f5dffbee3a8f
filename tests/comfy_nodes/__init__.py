"""Tests of the node pack."""
