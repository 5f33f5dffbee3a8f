"""The RunPod endpoint as a file, what brings RunPod to it, and what it costs."""
