"""The object store both images use: one folder adapter, one S3 adapter, one set of errors.

Each image states what it needs of a store in its own ``ports.py``; both adapters here fit.
Imports nothing of ours but the key rules in ``contract``.
"""
