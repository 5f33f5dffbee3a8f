"""What the worker and the gateway must agree on.

Versioned pydantic models of every message, the status and error enums, the layout of object
keys, the signing of callbacks, and which addresses are public. No I/O and no settings: both images
import this package, and it imports nothing of theirs.
"""
