"""Skin shift: a person's skin in the tone of a preset."""
