"""What the worker and the gateway must agree on.

Versioned pydantic models of every message, the status and error enums, the layout of object
keys, and the signing of callbacks. No I/O and no settings: both images import this package,
and it imports nothing of theirs.
"""
