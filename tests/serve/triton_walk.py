"""Run in an environment with `tritonclient[http]`: `triton_walk.py HOST:PORT PHOTO...`.

Asks every way the client knows, and prints the answers as JSON.
"""

import json
import sys

import numpy as np
import tritonclient.http as triton


def main(address: str, *files: str) -> None:
    client = triton.InferenceServerClient(address)
    metadata = client.get_model_metadata("classifier")
    found: dict[str, object] = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("classifier"),
        "server": client.get_server_metadata()["name"],
        "versions": metadata["versions"],
        "configuration": client.get_model_config("classifier"),
    }
    photos = []
    for file in files:
        with open(file, "rb") as opened:
            photos.append(opened.read())
    encoded = triton.InferInput("encoded", [len(photos)], "BYTES")
    encoded.set_data_from_numpy(np.array(photos, dtype=object), binary_data=True)
    for binary in (True, False):
        outputs = [
            triton.InferRequestedOutput(name, binary_data=binary)
            for name in ("probabilities", "category")
        ]
        answer = client.infer("classifier", [encoded], outputs=outputs, request_id="7")
        found[f"category_{binary}"] = [
            one.decode() if isinstance(one, bytes) else one
            for one in answer.as_numpy("category").tolist()
        ]
        found[f"probabilities_{binary}"] = answer.as_numpy("probabilities").tolist()
        found["id"] = answer.get_response()["id"]
    ranked = [triton.InferRequestedOutput("probabilities", binary_data=True, class_count=2)]
    top = client.infer("classifier", [encoded], outputs=ranked).as_numpy("probabilities")
    found["ranked"] = [[one.decode() for one in row] for row in top.tolist()]

    shape = metadata["inputs"][0]["shape"]
    pixels = np.full((2, *shape[1:]), 127, np.uint8)
    for binary in (True, False):
        images = triton.InferInput("images", list(pixels.shape), "UINT8")
        images.set_data_from_numpy(pixels, binary_data=binary)
        answer = client.infer("embedder", [images], model_version=metadata["versions"][0])
        found[f"norms_{binary}"] = np.linalg.norm(answer.as_numpy("embedding"), axis=1).tolist()
    try:
        client.infer("classifier", [triton.InferInput("other", [1], "FP32")])
    except triton.InferenceServerException as error:
        found["refused"] = [error.status(), error.message()]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
