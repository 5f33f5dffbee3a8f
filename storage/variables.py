"""The variables that an object store at ``s3://bucket`` takes, in both images."""

from contract.variables import REQUIRED, Variable

VARIABLES = (
    Variable(
        "S3_ENDPOINT_URL",
        "The S3 API; for Cloudflare R2 the account's endpoint.",
        shown="Amazon's",
    ),
    Variable("S3_REGION", "The bucket's region; R2's is `auto`.", default="auto"),
    Variable("S3_ACCESS_KEY_ID", "Access key.", shown=REQUIRED),
    Variable("S3_SECRET_ACCESS_KEY", "Its secret.", shown=REQUIRED),
)
