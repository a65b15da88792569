"""A real S3 server on loopback for tests, and buckets to put things into."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Requested:
    """One request that the server was sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


class S3Server:
    """moto's server in a thread of this process. It notes each request, and may be told to spoil some."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.requests: list[Requested] = []
        self.before: Any = None  # called with each request before it is answered; may give a status to answer with

    def start(self) -> None:
        self._server.start()
        inner = self._server._server.app  # type: ignore[attr-defined]

        def noting(environ: dict[str, Any], start_response: Any) -> Any:
            headers = {name[5:].replace("_", "-").lower(): str(v) for name, v in environ.items() if name[:5] == "HTTP_"}
            asked = Requested(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], headers)
            self.requests.append(asked)
            refusal = self.before(asked) if self.before is not None else None
            if refusal is None:
                return inner(environ, start_response)
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(refusal, [("Content-Type", "application/xml")])
            code = "".join(word.capitalize() for word in refusal.split()[1:])
            return [f"<Error><Code>{code}</Code><Message>{refusal}</Message></Error>".encode()]

        self._server._server.app = noting  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def stop(self) -> None:
        self._server.stop()

    def count(self, method: str, ending: str = "") -> int:
        return sum(one.method == method and one.path.endswith(ending) for one in self.requests)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket, as its owner sees it: through requests of its own, not through the code under test."""

    name: str
    client: Any

    def put(self, key: str, data: bytes, **more: Any) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data, **more)

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = []
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            found += [entry["Key"] for entry in page.get("Contents", ())]
        return found


@contextmanager
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def open_bucket(url: str, name: str) -> Bucket:
    import boto3

    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )
    client.create_bucket(Bucket=name)
    return Bucket(name, client)


def memory_storage(scheme: str) -> Any:
    """fsspec's own file system in memory, as any file system of fsspec would be used."""
    from speedpix_pipe.files.storage.generic import FsspecStorage

    return FsspecStorage(scheme)


def forget_connections(scheme: str) -> None:
    """Close what a store of this scheme has open, and forget it: the next use reads the environment anew."""
    import fsspec
    from fsspec.asyn import sync

    from speedpix_pipe.files.storage import close_storages

    close_storages()
    kind = fsspec.get_filesystem_class(scheme)
    for system in list(kind._cache.values()):
        if getattr(system, "_s3", None) is not None:
            sync(system.loop, system._s3creator.__aexit__, None, None, None)
        elif hasattr(getattr(system, "_session", None), "session"):
            system._session.session.close()
    kind.clear_instance_cache()
