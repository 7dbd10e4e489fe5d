"""A prefix in a bucket of an S3-compatible store. Pipeline and service reach objects by this alone.

Endpoint, region and credentials come from the usual variables of AWS. Writes can depend on what is there, which is what
keeps two machines apart. A version is the ETag, which may be a hash of the content: whoever replaces an object on the
condition that it is unchanged must never write the same bytes twice.
"""

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from serving.contract.errors import JobfeedError

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import S3Store

SCHEME = "s3://"
OWNER_ONLY = 0o600  # objects hold personal data
PATIENCE_SECONDS = 120.0  # how long a request is repeated while the store fails
REQUEST_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
_MOST_RETRIES = 12
_PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 4
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,80})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_ADVICE = {
    "NoSuchBucket": "there is no such bucket; make it, or correct the URL",
    "SignatureDoesNotMatch": "the secret key is wrong: look at AWS_SECRET_ACCESS_KEY",
    "InvalidAccessKeyId": "the access key is unknown: look at AWS_ACCESS_KEY_ID",
    "ExpiredToken": "the session has ended: get new credentials",
    "401": "the store asks for credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "403": "these credentials may not do it: look at the bucket's policy, which docs/deploy.md describes",
    "301": "the bucket is in another region: set AWS_REGION",
}


class ObjectStoreError(JobfeedError, RuntimeError):
    """The object store can't be reached, or refuses; the message says why."""


class ObjectMissingError(ObjectStoreError):
    """An object is not there."""


class ObjectConflictError(ObjectStoreError):
    """An object is not what a conditional write requires: somebody else has written it."""


class ObjectDamagedError(ObjectStoreError):
    """An object differs from what was written."""


class StoreUrlError(JobfeedError, ValueError):
    """A URL names no bucket."""


class StoreExtraError(JobfeedError, ImportError):
    """The optional package for object stores is not installed."""


class StoredObject(NamedTuple):
    """An object and its version."""

    body: bytes
    version: str


class ListedObject(NamedTuple):
    """An object as a listing shows it."""

    key: str
    n_bytes: int
    version: str
    modified_at: dt.datetime


def is_store_url(text: str) -> bool:
    """Whether the text is the URL of an object store rather than a folder."""
    return text.startswith(SCHEME)


def split_url(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Raises StoreUrlError."""
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    is_plain = all(part not in ("", ".", "..") for part in prefix.split("/")) or not prefix
    if not is_store_url(url) or not _BUCKET.fullmatch(bucket) or not is_plain or not prefix.isprintable():
        raise StoreUrlError(f"{url!r} is no URL of a bucket; it must look like s3://bucket/prefix")
    return bucket, prefix


class ObjectStore:
    """The objects below one URL, addressed by keys relative to it."""

    def __init__(self, url: str, *, patience_seconds: float | None = None) -> None:
        """Connects to nothing yet. Raises StoreUrlError and StoreExtraError."""
        bucket, prefix = split_url(url)
        self.url = f"{SCHEME}{bucket}/{prefix}".rstrip("/")
        self._store = _s3_store(bucket, prefix, PATIENCE_SECONDS if patience_seconds is None else patience_seconds)

    def read(self, key: str) -> StoredObject:
        """The object. Raises ObjectMissingError and ObjectStoreError."""
        import obstore

        with self._told(key, "be read"):
            found = obstore.get(self._store, key)
            return StoredObject(bytes(found.bytes()), str(found.meta["e_tag"]))

    def find(self, key: str) -> StoredObject | None:
        """The object; None if it is not there."""
        try:
            return self.read(key)
        except ObjectMissingError:
            return None

    def read_if_changed(self, key: str, version: str | None) -> StoredObject | None:
        """The object; None if it still has `version`. Raises ObjectMissingError."""
        import obstore
        from obstore.exceptions import NotModifiedError

        if version is None:
            return self.read(key)
        with self._told(key, "be read"):
            try:
                found = obstore.get(self._store, key, options={"if_none_match": version})
                return StoredObject(bytes(found.bytes()), str(found.meta["e_tag"]))
            except NotModifiedError:
                return None

    def create(self, key: str, body: bytes) -> str:
        """Writes an object that is not there yet; returns its version. Raises ObjectConflictError."""
        return self._put_if(key, body, "create")

    def replace(self, key: str, body: bytes, version: str) -> str:
        """Replaces an object that still has `version`; returns the new version. Raises ObjectConflictError."""
        return self._put_if(key, body, {"e_tag": version})

    def write(self, key: str, body: bytes) -> None:
        """Writes an object, whatever is there."""
        import obstore

        with self._told(key, "be written"):
            obstore.put(self._store, key, body)

    def upload(self, path: Path, key: str) -> None:
        """Writes a file as an object, a large one in parts."""
        import obstore

        with self._told(key, "be written"):
            obstore.put(self._store, key, path, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    def download(
        self,
        key: str,
        path: Path,
        *,
        n_bytes: int,
        sha256: str | None = None,
        version: str | None = None,
        report_progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Writes an object to `path`, a new file; `report_progress` is called after each part.

        Raises ObjectDamagedError if its size or its SHA-256 is another one, ObjectConflictError if it is no longer of
        `version`, and ObjectMissingError.
        """
        digest, n_read = hashlib.sha256(), 0
        with path.open("xb") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)
            # In parts, so that no request is longer than its deadline and a broken one is repeated alone.
            for start in range(0, n_bytes, _PART_BYTES):
                part = self._read_part(key, start, min(start + _PART_BYTES, n_bytes), version)
                file.write(part)
                digest.update(part)
                n_read += part.nbytes
                report_progress()
            file.flush()
            os.fsync(file.fileno())
        if n_read != n_bytes:
            raise ObjectDamagedError(f"{self.url}/{key}: {n_read} bytes; expected {n_bytes}")
        if sha256 is not None and digest.hexdigest() != sha256:
            raise ObjectDamagedError(f"{self.url}/{key}: content differs from its checksum")

    def _read_part(self, key: str, start: int, end: int, version: str | None) -> memoryview:
        """Bytes of an object of `version`, so that parts of two versions are never put together."""
        import obstore
        from obstore.exceptions import PreconditionError

        options: GetOptions = {"range": (start, end)}
        if version is not None:
            options["if_match"] = version
        with self._told(key, "be read"):
            try:
                found = obstore.get(self._store, key, options=options)
                part = memoryview(found.bytes())
            except PreconditionError:
                found = None
        # Some stores ignore the condition.
        if found is None or (version is not None and found.meta["e_tag"] != version):
            raise ObjectConflictError(f"{self.url}/{key}: somebody has replaced it since it was listed")
        return part

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """All objects whose key begins with the folder `prefix`."""
        import obstore

        with self._told(prefix, "be listed"):
            for chunk in obstore.list(self._store, prefix=prefix):
                for one in chunk:
                    version = str(one["e_tag"] or one["last_modified"])
                    yield ListedObject(one["path"], one["size"], version, one["last_modified"])

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes objects; those that are not there are no error."""
        import obstore

        wanted = list(keys)
        if wanted:
            with self._told(wanted[0], "be deleted"):
                obstore.delete(self._store, wanted)

    def _put_if(self, key: str, body: bytes, mode: Any) -> str:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            with self._told(key, "be written"):
                try:
                    return str(obstore.put(self._store, key, body, mode=mode)["e_tag"])
                except (AlreadyExistsError, PreconditionError) as error:
                    raise ObjectConflictError(f"{self.url}/{key}: somebody else has written it meanwhile") from error
        except ObjectStoreError:
            # The answer to a write may be lost; the repeated write then finds what the first one wrote.
            found = self._found_again(key)
            if found is not None and found.body == body:
                return found.version
            raise

    def _found_again(self, key: str) -> StoredObject | None:
        try:
            return self.find(key)
        except ObjectStoreError:
            return None

    @contextmanager
    def _told(self, key: str, done: str) -> Iterator[None]:
        """Turns the library's errors into ours, which hold no request: a store repeats signatures in its answers."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if error.filename is not None:
                raise  # a file of this machine
            code = _CODE.search(str(error))
            if code is not None and code[1] == "NoSuchBucket":
                raise ObjectStoreError(f"{self.url}: {_ADVICE[code[1]]}") from None
            raise ObjectMissingError(f"{self.url}/{key} is missing") from None
        except (BaseError, ValueError, TimeoutError) as error:
            raise ObjectStoreError(f"{self.url}/{key} can't {done}: {_reason(str(error))}") from None


def _s3_store(bucket: str, prefix: str, patience_seconds: float) -> "S3Store":
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise StoreExtraError(
            f"{SCHEME} needs the package obstore: pip install -c constraints.txt -e '.[s3]' beside the extra in use"
        ) from error
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    config: dict[str, Any] = {"endpoint": endpoint} if endpoint is not None else {}
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={
            "timeout": dt.timedelta(seconds=REQUEST_SECONDS),
            "connect_timeout": dt.timedelta(seconds=_CONNECT_SECONDS),
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        },
        retry_config={"max_retries": _MOST_RETRIES, "retry_timeout": dt.timedelta(seconds=patience_seconds)},
        **config,
    )


def _reason(text: str) -> str:
    """What a library's message says in a few words. The rest may hold keys, signatures and addresses."""
    code, status = _CODE.search(text), _STATUS.search(text)
    if "/latest/api/token" in text or "/latest/meta-data" in text:
        return "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
    named: Sequence[str] = [found[1] for found in (code, status) if found is not None]
    advice = next((_ADVICE[name] for name in named if name in _ADVICE), None)
    if advice is not None:
        return f"{' '.join(reversed(named))}: {advice}"
    if named:
        return f"the store answered {' '.join(reversed(named))}"
    if "Could not parse" in text or "parsing Path" in text:
        return "a key has a character or part that no file can have; rename the object"
    if "kind: Timeout" in text or "operation timed out" in text:
        return "the store did not answer in time"
    return "the store can't be reached: look at AWS_ENDPOINT_URL and the network"
