"""The media store as a bucket of an S3-compatible service, by django-storages and boto3.

Only who chose a bucket pays for loading this: boto3 takes half a second and 40 MB.
"""

from __future__ import annotations

import posixpath
from contextlib import closing, contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from django.conf import settings
from storages.backends.s3 import S3Storage

from myloware.kernel.errors import StoreUnavailable

from . import BLOCK_BYTES, PATH, changed, content_type, is_intact, missing, workspace
from .cache import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NOT_FOUND = "404"
KEY_REFUSED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


def _config(addressing_style: str | None) -> Config:
    return Config(
        connect_timeout=5,
        read_timeout=20,
        # Whoever stores tries again anyway, every POLL_S.
        retries={"mode": "standard", "total_max_attempts": 2},
        # The oldest end-to-end check, part of the protocol: the request is signed with the SHA-256 of its body.
        # Newer checksums, boto3's default, are refused by some: https://github.com/boto/boto3/issues/4392.
        s3={"payload_signing_enabled": True, "addressing_style": addressing_style},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


@contextmanager
def _in_words() -> Iterator[None]:
    """What boto3 raises, as ``StoreUnavailable``, or ``FileNotFoundError``."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {NOT_FOUND, "NoSuchKey"}:
            raise FileNotFoundError(str(error)) from error
        refused = "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" if code in KEY_REFUSED else ""
        raise StoreUnavailable(f"The media bucket answered {code}{refused}.") from error
    except NoCredentialsError as error:
        raise StoreUnavailable("The media bucket has no key: set AWS_ACCESS_KEY_ID and ..._SECRET_....") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StoreUnavailable(f"The media bucket cannot be reached ({type(error).__name__}).") from error


class Bucket(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """A :class:`runs.store.Backend`. Its one connection, boto3's client, is shared by all threads."""

    def __init__(self, *, addressing_style: str | None = None, **options: Any) -> None:
        super().__init__(client_config=_config(addressing_style), **options)

    @property
    def cache(self) -> Cache:
        return Cache(Path(settings.MEDIA_ROOT) / ".cache")

    def put(self, source: Path, path: str) -> None:
        """Sends the file in one request: unlike an upload in parts, it leaves nothing when it is broken off."""
        with _in_words(), source.open("rb") as body:
            self.bucket.put_object(Key=self._key(path), Body=body, ContentType=content_type(path))
        self.cache.add(source, path)

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """A copy, of the cache if it has one."""
        with workspace() as folder:
            copy = folder / PurePath(path).name
            if not (self.cache.lend(path, copy) and is_intact(copy, path)):
                self._download(path, copy)
            yield copy

    def _download(self, path: str, copy: Path) -> None:
        copy.unlink(missing_ok=True)
        try:
            with _in_words():
                self.bucket.download_file(self._key(path), str(copy))
        except FileNotFoundError:
            raise missing(path) from None
        if not is_intact(copy, path):
            raise changed(path)
        self.cache.add(copy, path)

    def blocks(self, path: str, span: range) -> Iterator[bytes]:
        if not span:
            return
        with _in_words():
            wanted = f"bytes={span.start}-{span.stop - 1}"
            found = self.bucket.Object(self._key(path)).get(Range=wanted)
            with closing(found["Body"]) as body:
                yield from body.iter_chunks(BLOCK_BYTES)

    def files(self) -> Iterator[tuple[str, datetime]]:
        start = self._key("")
        with _in_words():
            for found in self.bucket.objects.filter(Prefix=start):
                path = found.key.removeprefix(start)
                if PATH.fullmatch(path):
                    yield path, found.last_modified

    @_in_words()
    def size(self, name: str) -> int:
        return int(super().size(name))

    @_in_words()
    def get_modified_time(self, name: str) -> datetime:
        modified: datetime = super().get_modified_time(name)
        return modified

    @_in_words()
    def delete(self, name: str) -> None:
        super().delete(name)

    def _key(self, path: str) -> str:
        return posixpath.join(self.location, path)
