"""`sp_create_temp_file_upload_sign`: a ticket for one upload, bound to its content type."""

from typing import Any

from speedpix_pipe.emulator.envelope import BusinessError
from speedpix_pipe.emulator.faults import FaultKind
from speedpix_pipe.emulator.routes.base import Call, invalid
from speedpix_pipe.emulator.service import Service, new_ulid

__all__ = ["answer"]

_WRONG_CASE = {"content_type": "contentType", "original_filename": "originalFilename"}


async def answer(service: Service, call: Call) -> dict[str, Any] | BusinessError:
    for wrong, right in _WRONG_CASE.items():
        if wrong in call.payload:
            return invalid(f'unknown key "{wrong}": this call takes "{right}"')
    content_type = call.payload.get("contentType")
    name = call.payload.get("originalFilename")
    if not isinstance(content_type, str) or not content_type:
        return invalid('"contentType" is missing')
    if not isinstance(name, str) or not name:
        return invalid('"originalFilename" is missing')
    now = service.clock.now()
    base = name.replace("\\", "/").rpartition("/")[2] or "file"
    key = f"upload/{new_ulid(now)}/{base[:200]}"
    service.bucket.reserve(key, content_type)
    expires = now - 60 if call.suffers(FaultKind.EXPIRED_URL) else now + service.options.upload_ttl
    return {
        "uploadUrl": service.bucket.put_url(key, content_type, expires),
        "objectKey": key,
        "path": "/" + key,
        "expireTime": int(expires) * 1000,
        "accessUrl": service.bucket.get_url(key, now + service.options.result_ttl),
    }
