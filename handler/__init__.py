"""The RunPod worker: takes a job, renders its pages with ComfyUI, stores them.

Imports ``contract`` and ``storage``, nothing else of ours.
"""
