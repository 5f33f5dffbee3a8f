"""The Starlette service between the shop, RunPod, the payment providers and the printer."""
