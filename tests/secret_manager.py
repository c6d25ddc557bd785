"""Google's Secret Manager as far as our client speaks to it, over real gRPC and honest to its contract, in memory.

    async with SecretManager() as google:          # google.host for SECRET_MANAGER_EMULATOR_HOST
        google.next["AddSecretVersion"] = ["lost"]  # a fault for each such call to come, then all is well again
    python -m tests.secret_manager --port N         # as a process; prints its address

From Google's documentation: versions count from 1 and never again; `latest` is the newest, whatever its state; only an
enabled one can be read; an etag that is given must be the stored one (FAILED_PRECONDITION), and every update makes a
new one, an addition does not; a payload has 64 KiB at most, and the checksum that is said of it. What is read of a
secret may be old (`stale`), what is read by a version's number is not.
"""

import argparse
import asyncio
import re
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import google_crc32c
import grpc
import grpc.aio
from google.cloud.secretmanager_v1.types import resources, service
from google.protobuf import empty_pb2

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
PARENT = re.compile(r"projects/[a-z0-9-]+")
SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
PAYLOAD_BYTES = 64 * 1024
SLOW_S = 60.0
State = resources.SecretVersion.State
Code = grpc.StatusCode
FAULTS = {"unavailable": Code.UNAVAILABLE, "lost": Code.UNAVAILABLE, "quota": Code.RESOURCE_EXHAUSTED}
Wait = Callable[[], Awaitable[object]]


@dataclass(slots=True, kw_only=True)
class Version:
    state: Any
    data: bytes
    etag: str = ""


@dataclass(slots=True, kw_only=True)
class Kept:
    """A secret, and how it was before its last update."""

    now: resources.Secret
    before: resources.Secret | None = None
    versions: list[Version] = field(default_factory=list)


class Refused(Exception):
    def __init__(self, code: Code, said: str) -> None:
        super().__init__(said)
        self.code, self.said = code, said


class SecretManager:
    """`next`: faults by method (or `*`): unavailable, lost (done, unanswered), quota, slow, damaged, or a wait.

    `denied`: methods that are not allowed. `stale`: so many GetSecret are answered with what was there before the last
    update. `calls`: methods, in order.
    """

    def __init__(self, port: int = 0) -> None:
        self.next: defaultdict[str, list[str | Wait]] = defaultdict(list)
        self.denied: set[str] = set()
        self.stale = 0
        self.calls: list[str] = []
        self.kept: dict[str, Kept] = {}
        self.host = ""
        self._port = port

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        table = {name[1:]: self._handler(name[1:]) for name in dir(type(self)) if re.match(r"_[A-Z]", name)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, table),))
        self.host = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{self._port}')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)

    def _handler(self, method: str) -> Any:
        asked = getattr(service, f"{method}Request")

        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            self.calls.append(method)
            faults = self.next[method] or self.next["*"]
            fault = faults.pop(0) if faults else ""
            if method in self.denied:
                await context.abort(Code.PERMISSION_DENIED, f"Permission denied for {method} (or it may not exist).")
            if callable(fault):
                await fault()
            if fault == "slow":
                await asyncio.sleep(SLOW_S)
            if fault in ("unavailable", "quota"):
                await context.abort(FAULTS[fault], "on purpose")
            try:
                answered = getattr(self, f"_{method}")(request)
            except Refused as refused:
                await context.abort(refused.code, refused.said)
            if fault == "lost":
                await context.abort(FAULTS[fault], "done, and its answer lost on purpose")
            if fault == "damaged":
                answered.payload.data = answered.payload.data[:-1] + b"?"
            return answered

        def written(message: Any) -> bytes:
            return (
                message.SerializeToString()
                if isinstance(message, empty_pb2.Empty)
                else bytes(type(message).serialize(message))
            )

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=asked.deserialize, response_serializer=written
        )

    # --- its methods -------------------------------------------------------------------------------------------------

    def _CreateSecret(self, asked: Any) -> resources.Secret:
        name = f"{asked.parent}/secrets/{asked.secret_id}"
        replication = asked.secret.replication
        _require(PARENT.fullmatch(asked.parent) and SECRET_ID.fullmatch(asked.secret_id), "not a name")
        _require(replication.automatic or replication.user_managed.replicas, "a secret needs a replication policy")
        if name in self.kept:
            raise Refused(Code.ALREADY_EXISTS, f"Secret [{name}] already exists.")
        made = resources.Secret(asked.secret, name=name, etag=_etag())
        self.kept[name] = Kept(now=made)
        return made

    def _GetSecret(self, asked: Any) -> resources.Secret:
        kept = self._secret(asked.name)
        if self.stale and kept.before:
            self.stale -= 1
            return kept.before
        return kept.now

    def _UpdateSecret(self, asked: Any) -> resources.Secret:
        kept = self._secret(asked.secret.name)
        _match(asked.secret.etag, kept.now.etag)
        _require(list(asked.update_mask.paths) == ["annotations"], "only annotations are updated here")
        replaced = resources.Secret(kept.now, annotations=dict(asked.secret.annotations), etag=_etag())
        kept.before, kept.now = kept.now, replaced
        return replaced

    def _DeleteSecret(self, asked: Any) -> empty_pb2.Empty:
        _match(asked.etag, self._secret(asked.name).now.etag)
        del self.kept[asked.name]
        return empty_pb2.Empty()

    def _ListSecrets(self, asked: Any) -> service.ListSecretsResponse:
        mine = [kept.now for name, kept in self.kept.items() if name.startswith(f"{asked.parent}/secrets/")]
        return service.ListSecretsResponse(secrets=mine, total_size=len(mine))

    def _AddSecretVersion(self, asked: Any) -> resources.SecretVersion:
        kept, data = self._secret(asked.parent), bytes(asked.payload.data)
        _require(len(data) <= PAYLOAD_BYTES, f"The secret payload is {len(data)} bytes, over {PAYLOAD_BYTES}")
        said = asked.payload.data_crc32c if asked.payload._pb.HasField("data_crc32c") else None
        _require(said in (None, google_crc32c.value(data)), "the checksum is another one: data corruption")
        kept.versions.append(Version(state=State.ENABLED, data=data, etag=_etag()))
        return self._as_version(asked.parent, len(kept.versions))

    def _GetSecretVersion(self, asked: Any) -> resources.SecretVersion:
        name, number, _ = self._version(asked.name)
        return self._as_version(name, number)

    def _ListSecretVersions(self, asked: Any) -> service.ListSecretVersionsResponse:
        wanted = re.findall(r"state:(\w+)", asked.filter)
        kept = self._secret(asked.parent).versions
        numbers = [n for n in range(len(kept), 0, -1) if not wanted or kept[n - 1].state.name in wanted]
        start, size = int(asked.page_token or 0), asked.page_size or 25
        more = str(start + size) if start + size < len(numbers) else ""
        page = [self._as_version(asked.parent, number) for number in numbers[start : start + size]]
        return service.ListSecretVersionsResponse(versions=page, next_page_token=more, total_size=len(numbers))

    def _AccessSecretVersion(self, asked: Any) -> service.AccessSecretVersionResponse:
        name, number, version = self._version(asked.name)
        if version.state != State.ENABLED:
            raise Refused(Code.FAILED_PRECONDITION, f"Secret Version [{asked.name}] is in {version.state.name} state.")
        payload = resources.SecretPayload(data=version.data, data_crc32c=google_crc32c.value(version.data))
        return service.AccessSecretVersionResponse(name=f"{name}/versions/{number}", payload=payload)

    def _EnableSecretVersion(self, asked: Any) -> resources.SecretVersion:
        return self._put(asked, State.ENABLED)

    def _DisableSecretVersion(self, asked: Any) -> resources.SecretVersion:
        return self._put(asked, State.DISABLED)

    def _DestroySecretVersion(self, asked: Any) -> resources.SecretVersion:
        return self._put(asked, State.DESTROYED)

    def _put(self, asked: Any, state: Any) -> resources.SecretVersion:
        name, number, version = self._version(asked.name)
        _match(asked.etag, version.etag)
        if version.state == State.DESTROYED:
            raise Refused(Code.FAILED_PRECONDITION, f"Secret Version [{asked.name}] is in DESTROYED state.")
        version.state, version.etag = state, _etag()
        version.data = b"" if state == State.DESTROYED else version.data
        return self._as_version(name, number)

    def _secret(self, name: str) -> Kept:
        if name not in self.kept:
            raise Refused(Code.NOT_FOUND, f"Secret [{name}] not found.")
        return self.kept[name]

    def _version(self, path: str) -> tuple[str, int, Version]:
        name, _, word = path.partition("/versions/")
        versions = self._secret(name).versions
        _require(word == "latest" or word.isdigit(), f"not a version: {word}")
        number = len(versions) if word == "latest" else int(word)
        if not 0 < number <= len(versions):
            raise Refused(Code.NOT_FOUND, f"Secret Version [{path}] not found.")
        return name, number, versions[number - 1]

    def _as_version(self, name: str, number: int) -> resources.SecretVersion:
        version = self.kept[name].versions[number - 1]
        return resources.SecretVersion(name=f"{name}/versions/{number}", state=version.state, etag=version.etag)


def _etag() -> str:
    return f'"{secrets.token_hex(7)}"'


def _match(given: str, stored: str) -> None:
    if given and given != stored:
        raise Refused(Code.FAILED_PRECONDITION, f"The etag provided ({given}) does not match the stored one.")


def _require(true: object, said: str) -> None:
    if not true:
        raise Refused(Code.INVALID_ARGUMENT, said)


async def serve(port: int) -> None:
    """Run as a process of its own until it is ended."""
    async with SecretManager(port) as google:
        print(google.host, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))
