"""Model files: their list, their licences, how they are fetched, and what lies on the disk."""

from handler.models.files import ModelFiles
from handler.models.hashes import HashCache

__all__ = ["HashCache", "ModelFiles"]
