"""A program that answers as `gcloud` does, for a project that lies in a folder.

It knows the commands that a release uses, and was written from their documentation and from what
they are known to print. It imports nothing that is slow, because a release calls it often.
"""

from __future__ import annotations
