"""Everything in which the platform keeps something, searched for a word: for what must have gone."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.cloud.cloud import Cloud

OWNER = {"Authorization": "Bearer owner"}  # the emulator's word for who may see all
PAGE = 300


class Stores:
    """Looks anew at every call."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        project = cloud.webs[0].environ["OMA_GCP_PROJECT"]
        self._firestore = f"http://{cloud.firestore.host}/v1/projects/{project}/databases/(default)/documents"

    async def having(self, *words: str) -> dict[str, set[str]]:
        """Return the places of each word; in Firestore the collections."""
        found: dict[str, set[str]] = {word: set() for word in words}
        async for place, text in self._texts():
            for word in words:
                if word in text:
                    found[word].add(place)
        return {word: places for word, places in found.items() if places}

    async def _texts(self) -> AsyncIterator[tuple[str, str]]:
        async with aiohttp.ClientSession(headers=OWNER) as http:
            async for path, text in self._documents(http, ""):
                yield f"Firestore {path.split('/')[1]}", path + text
        for name, kept in self._cloud.secrets.kept.items():
            data = [version.data.decode(errors="replace") for version in kept.versions]
            yield "Secret Manager", " ".join([name, str(kept.now), str(kept.before), *data])
        for one in self._cloud.cluster.everything():
            yield "cluster", json.dumps(one, ensure_ascii=False)
        for path in (self._cloud.folder / "cluster" / "volumes").rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            yield "volumes", f"{path} " + data.decode(errors="replace")

    async def _documents(self, http: aiohttp.ClientSession, below: str) -> AsyncIterator[tuple[str, str]]:
        """All there are, those included that are only a path to others."""
        async with http.post(f"{self._firestore}{below}:listCollectionIds", json={}) as answer:
            collections = (await answer.json()).get("collectionIds", [])
        for name in collections:
            query = {"pageSize": str(PAGE), "showMissing": "true"}
            while True:
                async with http.get(f"{self._firestore}{below}/{name}", params=query) as answer:
                    said = await answer.json()
                for document in said.get("documents", []):
                    path = document["name"].partition("/documents")[2]
                    if fields := document.get("fields"):
                        yield path, _text(fields)
                    async for deeper in self._documents(http, path):
                        yield deeper
                if not said.get("nextPageToken"):
                    break
                query["pageToken"] = said["nextPageToken"]


def _text(value: Any) -> str:
    """Return a value as text, with bytes as they are instead of JSON's spelling."""
    if isinstance(value, dict):
        if "bytesValue" in value:
            return base64.b64decode(value["bytesValue"]).decode(errors="replace")
        return " ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return str(value)
