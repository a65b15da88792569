"""The floor: the six calls on aiohttp, written by hand for this one job. No retries, no records, no rules.

Uploads and downloads have lanes of their own, so that no prediction's place is held while bytes move. It hashes what
it moves, since whoever keeps results must know that they came whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from base64 import b64encode
from pathlib import Path

import aiohttp
from work import KEY, SECRET, Work, read_work

MEDIA = "application/json; charset=utf-8"


def signed(path: str, body: bytes) -> dict[str, str]:
    now = time.time()
    md5 = b64encode(hashlib.md5(body).digest()).decode()
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT+00:00", time.gmtime(now))
    nonce, stamp = str(uuid.uuid4()), str(int(now * 1000))
    text = (
        f"POST\n{MEDIA}\n{md5}\n{MEDIA}\n{date}\nx-ca-key:{KEY}\nx-ca-nonce:{nonce}\n"
        f"x-ca-signature-method:HmacSHA256\nx-ca-timestamp:{stamp}\n{path}"
    )
    return {
        "date": date,
        "x-ca-key": KEY,
        "x-ca-timestamp": stamp,
        "x-ca-nonce": nonce,
        "x-ca-signature-method": "HmacSHA256",
        "Content-Type": MEDIA,
        "Accept": MEDIA,
        "content-md5": md5,
        "x-ca-signature-headers": "x-ca-timestamp,x-ca-key,x-ca-nonce,x-ca-signature-method",
        "x-ca-signature": b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha256")).decode(),
    }


async def main(work: Work) -> None:
    slots, uploads, downloads = (asyncio.Semaphore(width) for width in (work.flight, 8, 16))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=96)) as session:

        async def call(path: str, body: dict) -> dict:
            raw = json.dumps(body).encode()
            async with session.post(work.url + path, data=raw, headers=signed(path, raw)) as response:
                return json.loads(await response.read())["data"]

        async def upload(source: Path) -> str:
            wanted = {"contentType": "image/jpeg", "originalFilename": source.name}
            ticket = await call("/scc/sp_create_temp_file_upload_sign", wanted)
            body = source.read_bytes()
            hashlib.sha256(body).hexdigest()
            async with session.put(ticket["uploadUrl"], data=body, headers={"Content-Type": "image/jpeg"}) as done:
                await done.read()
            return ticket["accessUrl"]

        async def predict(image: str) -> str:
            asked = {"workflow_id": "w", "alias_id": "main", "inputs": {"image": image}}
            task = (await call("/scc/comfy_prompt", asked))["taskId"]
            await asyncio.sleep(work.latency)
            while (await call("/scc/comfy_get_progress", {"taskId": task}))["status"] != "succeeded":
                await asyncio.sleep(0.02)
            return (await call("/scc/comfy_get_result", {"taskId": task}))["result"]["images"]["url"]

        async def download(url: str, target: Path) -> None:
            digest = hashlib.sha256()
            async with session.get(url) as response:
                with target.open("wb") as file:
                    async for chunk in response.content.iter_any():
                        digest.update(chunk)
                        file.write(chunk)

        async def one(source: Path) -> None:
            async with uploads:
                image = await upload(source)
            async with slots:
                url = await predict(image)
            async with downloads:
                await download(url, work.target / source.name)

        await asyncio.gather(*(one(source) for source in work.sources))


if __name__ == "__main__":
    asyncio.run(main(read_work()))
