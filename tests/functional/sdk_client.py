"""A program written for the official SDK, run with that or with ours: `python sdk_client.py MODULE FOLDER SCENE...`

It knows nothing of the tests. Endpoint, key and secret come from the environment, as the service's guides have it. One
line of JSON comes out for each scene: what it returned, or the error.
"""

import asyncio
import importlib
import io
import json
import os
import sys
import urllib.request
from pathlib import Path

sdk = importlib.import_module(sys.argv[1])
FOLDER = Path(sys.argv[2])
PHOTO = str(FOLDER / "photo.jpg")
MASK = str(FOLDER / "mask.png")
QUICK = {"polling_interval": 0.02}


def client():
    return sdk.Client(
        os.environ["SPEEDPIX_APP_KEY"], os.environ["SPEEDPIX_APP_SECRET"], os.environ["SPEEDPIX_ENDPOINT"]
    )


def run_text():
    with client() as speedpix:
        return speedpix.run("text-to-image", {"prompt": "一只猫 a cat", "seed": 7}, alias_id="main", **QUICK)


def run_image():
    with client() as speedpix:
        output = speedpix.run("upscale", {"image": PHOTO, "factor": 2}, alias_id="main", **QUICK)
        output["images"]["url"].save(str(FOLDER / "out.png"))
        return (FOLDER / "out.png").stat().st_size


def run_two_images():
    with client() as speedpix:
        given = {"images": [PHOTO, MASK], "columns": 2}
        return speedpix.run("contact-sheet", given, alias_id="main", **QUICK)


def run_version():
    with client() as speedpix:
        return speedpix.run("text-to-image", {"prompt": "x"}, version_id="v3", **QUICK)


def run_options():
    with client() as speedpix:
        options = {"randomise_seeds": True, "return_temp_files": True, "resource_config_id": "default"}
        return speedpix.run("text-to-image", {"prompt": "x", "seed": 1}, alias_id="main", **options, **QUICK)


def create_wait_get():
    with client() as speedpix:
        prediction = speedpix.predictions.create("text-to-image", {"prompt": "x"}, alias_id="main")
        prediction.wait(polling_interval=0.02)
        again = speedpix.predictions.get(prediction.id)
        return [str(prediction.status), str(again.status), prediction.id == again.id]


def create_base64():
    with client() as speedpix:
        options = {"alias_id": "main", "file_encoding_strategy": "base64"}
        prediction = speedpix.predictions.create("upscale", {"image": PHOTO, "factor": 2}, **options)
        return str(prediction.wait(polling_interval=0.02) and prediction.status)


def upload_path():
    with client() as speedpix:
        file = speedpix.files.create(PHOTO)
        return [file.name, file.content_type, file.size, str(file) == file.access_url]


def upload_bytes():
    with client() as speedpix:
        file = speedpix.files.create(io.BytesIO(Path(MASK).read_bytes()))
        return [file.name, file.content_type, file.size]


def async_run():
    async def main():
        async with client() as speedpix:
            output = await speedpix.async_run("upscale", {"image": PHOTO, "factor": 2}, alias_id="main", **QUICK)
            await output["images"]["url"].async_save(str(FOLDER / "out.png"))
            return (FOLDER / "out.png").stat().st_size

    return asyncio.run(main())


def async_upload():
    async def main():
        async with client() as speedpix:
            file = await speedpix.files.async_create(PHOTO)
            return [file.name, file.content_type, file.size]

    return asyncio.run(main())


def module_run():
    return sdk.run("text-to-image", {"prompt": "x"}, alias_id="main", **QUICK)


def failed_task():
    with client() as speedpix:
        return speedpix.run("fails", {"text": "x"}, alias_id="main", **QUICK)


def wrong_secret():
    with sdk.Client(os.environ["SPEEDPIX_APP_KEY"], "wrong", os.environ["SPEEDPIX_ENDPOINT"]) as speedpix:
        return speedpix.run("text-to-image", {"prompt": "x"}, alias_id="main", **QUICK)


def main():
    for name in sys.argv[3:]:
        urllib.request.urlopen(f"{os.environ['SPEEDPIX_ENDPOINT']}/_emulator/counters?scene={name}").close()
        try:
            told = {"returned": globals()[name]()}
        except Exception as error:
            told = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps({"scene": name, **told}, default=str), flush=True)


if __name__ == "__main__":
    main()
