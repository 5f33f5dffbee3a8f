"""A stand-in for RunPod's serverless control plane, in memory, on loopback.

It keeps the documented rules closely enough that the unmodified RunPod SDK worker runs against it.
What it does not keep: autoscaling, pod lifecycle (`stopPod` is ignored), `/openai` and `s3Config`.
"""
