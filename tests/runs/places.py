"""Both kinds of media store: a folder, and a bucket behind a socket (moto speaks S3)."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as current
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from runs import store
from runs.config import MediaSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

    from runs.store import Stored

PREFIX = "films"


@dataclass(frozen=True)
class Place:
    """A store, and the way to its files past the store. ``bucket`` is boto3's, None for a folder."""

    bucket: Any = None

    def write(self, path: str, content: bytes) -> None:
        """Puts bytes where those of ``path`` are, as a fault or an intruder would."""
        if self.bucket is None:
            Path(default_storage.path(path)).write_bytes(content)
        else:
            self.bucket.put_object(Key=f"{PREFIX}/{path}", Body=content)

    def remove(self, path: str) -> None:
        if self.bucket is None:
            Path(default_storage.path(path)).unlink()
        else:
            self.bucket.Object(f"{PREFIX}/{path}").delete()

    def forget(self) -> None:
        """Makes this machine one that has never seen the bucket."""
        shutil.rmtree(Path(current.MEDIA_ROOT) / ".cache", ignore_errors=True)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A server that speaks S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def folder() -> Place:
    return Place()


@pytest.fixture
def bucket(s3: str, settings: Settings) -> Place:
    """An empty bucket."""
    name = f"bucket-{uuid4().hex[:12]}"
    use(settings, f"s3://{name}/{PREFIX}?endpoint={s3}&region=eu-central-1")
    made = default_storage.bucket  # type: ignore[attr-defined]
    made.create(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return Place(made)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    """One after the other."""
    found: Place = request.getfixturevalue(request.param)
    return found


def use(settings: Settings, url: str) -> None:
    """Chooses a store, as the environment does."""
    settings.MEDIA = MediaSettings(
        media_store_url=url, aws_access_key_id=SecretStr("an-id"), aws_secret_access_key=SecretStr("a-secret")
    )
    settings.STORAGES = {**settings.STORAGES, "default": settings.MEDIA.storage}


def kept(content: bytes, suffix: str = ".mp4") -> Stored:
    with store.workspace() as folder:
        source = folder / f"source{suffix}"
        source.write_bytes(content)
        return store.keep(source)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def paths() -> list[str]:
    return sorted(path for path, _ in store.backend().files())
