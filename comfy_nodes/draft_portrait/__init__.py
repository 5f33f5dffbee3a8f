"""Draft portrait: a photographed face painted into a template page, without a GPU."""
