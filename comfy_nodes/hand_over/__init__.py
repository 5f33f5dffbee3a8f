"""Hand-over: pixels between ComfyUI and a worker beside it, without an image format."""
