"""ComfyUI as a child process of the worker: its life, its protocol, its events."""
