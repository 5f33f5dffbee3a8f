"""The worker, with a fake ComfyUI and with the real one."""
