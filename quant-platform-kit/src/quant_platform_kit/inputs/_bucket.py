"""Published snapshots in a Google Cloud Storage bucket, through Google's own client.

This module is imported when a ``gs://`` address is opened, and the client with it. Credentials are
the machine's own, as the client finds them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from quant_platform_kit.errors import ReasonCode, SettingsError
from quant_platform_kit.inputs._objects import BUCKET_SCHEME, StoredObject, store_fault

try:
    from google.api_core.exceptions import (
        Forbidden,
        GoogleAPIError,
        NotFound,
        PreconditionFailed,
        Unauthorized,
    )
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage import Client
    from google.cloud.storage.exceptions import DataCorruption
    from google.cloud.storage.retry import DEFAULT_RETRY
    from requests import RequestException
except ImportError as missing:
    raise SettingsError(
        "A snapshot address begins with gs://, and Google's client is not installed. Install "
        "quant-platform-kit[gcp], or name a folder."
    ) from missing

_ATTEMPT_SECS: Final = 5.0
_DEADLINE_SECS: Final = 15.0
_NOTHING: Final = 0  # the generation that the store gives to an object that does not exist
_KINDS: Final = {
    ".csv": "text/csv",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}
_FAULTS: Final = (GoogleAPIError, GoogleAuthError, RequestException, DataCorruption)

# Every write names the generation it expects, so that repeating one cannot write twice: the second
# is refused, and whoever asked finds their own bytes there.
_RETRY: Final = DEFAULT_RETRY.with_delay(initial=0.2, maximum=2.0).with_timeout(_DEADLINE_SECS)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class BucketStore:
    """Objects of a bucket whose names begin with a prefix."""

    client: Any
    bucket: str
    prefix: str

    @classmethod
    def at(cls, address: str) -> Self:
        """Return the store at ``gs://bucket/folder``, as the machine's own account sees it."""
        bucket, _, prefix = address.removeprefix(BUCKET_SCHEME).partition("/")
        if not bucket:
            raise SettingsError(f"The address {address!r} names no bucket: expected gs://bucket.")
        prefix = prefix.strip("/")
        try:
            client = Client()
            # It asks for the bucket's own data in a thread, for traces that nobody records.
            client._bucket_metadata_cache = None  # noqa: SLF001 (there is no public switch)
        except GoogleAuthError as error:
            raise store_fault(
                ReasonCode.SNAPSHOT_UNAVAILABLE,
                f"{address} cannot be opened: this machine has no Google account.",
                "Run it under a service account, or name one in GOOGLE_APPLICATION_CREDENTIALS.",
            ) from error
        store = cls(client, bucket, f"{prefix}/" if prefix else "")
        weakref.finalize(store, client.close)
        return store

    def where(self, name: str = "") -> str:
        """Return the ``gs://`` address."""
        return f"{BUCKET_SCHEME}{self.bucket}/{self.prefix}{name}"

    def read(self, name: str) -> StoredObject | None:
        """Download an object; what the client's checksum refuses is never returned."""
        blob = self._blob(name)
        with self._asking(name):
            try:
                data: bytes = blob.download_as_bytes(timeout=_ATTEMPT_SECS, retry=_RETRY)
            except NotFound:
                return None
        return StoredObject(data, str(blob.generation))

    def create(self, name: str, data: bytes) -> bool:
        """Upload an object that does not exist."""
        return self._upload(name, data, _NOTHING)

    def replace(self, name: str, data: bytes, generation: str | None) -> bool:
        """Upload an object in place of one generation of it."""
        return self._upload(name, data, _NOTHING if generation is None else int(generation))

    def names(self) -> tuple[str, ...]:
        """List the objects."""
        with self._asking():
            blobs = self.client.list_blobs(
                self.bucket, prefix=self.prefix, timeout=_ATTEMPT_SECS, retry=_RETRY
            )
            return tuple(sorted(blob.name.removeprefix(self.prefix) for blob in blobs))

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._asking(name):
            try:
                self._blob(name).delete(timeout=_ATTEMPT_SECS, retry=_RETRY)
            except NotFound:
                return

    def sweep(self, before: datetime) -> int:
        """Find nothing: an upload that was broken off is no object, and Google forgets it."""
        del before
        return 0

    def _blob(self, name: str) -> Any:  # noqa: ANN401 (the client ships no types)
        return self.client.bucket(self.bucket).blob(self.prefix + name)

    def _upload(self, name: str, data: bytes, generation: int) -> bool:
        kind = _KINDS.get(f".{name.rpartition('.')[2]}", "application/octet-stream")
        with self._asking(name):
            try:
                self._blob(name).upload_from_string(
                    data,
                    content_type=kind,
                    if_generation_match=generation,
                    checksum="crc32c",
                    timeout=_ATTEMPT_SECS,
                    retry=_RETRY,
                )
            except PreconditionFailed:
                return False
        return True

    @contextmanager
    def _asking(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except (Forbidden, Unauthorized) as error:
            raise store_fault(
                ReasonCode.SNAPSHOT_UNAVAILABLE,
                f"{self.where(name)} is kept from whoever asks (HTTP {error.code}).",
                "Give the service account the role Storage Object Viewer for the bucket; a "
                "publisher needs Storage Object User.",
            ) from error
        except _FAULTS as error:
            raise store_fault(
                ReasonCode.SNAPSHOT_UNAVAILABLE,
                f"{self.where(name)} cannot be reached ({type(error).__name__}).",
                "Check the bucket's name and whether the store is up, then run again.",
            ) from error
