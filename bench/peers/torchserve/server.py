"""TorchServe with its batching: `python server.py BUNDLE PORT`, in a folder of its own.

Makes the model archive and the configuration in the working folder, then becomes `torchserve`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

WORKERS = 2
BATCH = 8
BATCH_MS = 5

_HERE = Path(__file__).parent
_CONFIG = """
inference_address=http://127.0.0.1:{port}
management_address=http://127.0.0.1:{management}
metrics_address=http://127.0.0.1:{metrics}
grpc_inference_port={grpc_inference}
grpc_management_port={grpc_management}
disable_token_authorization=true
enable_metrics_api=false
async_logging=true
model_store={store}
load_models=classifier.mar
"""


def main(bundle: Path, port: int) -> None:
    """Archive, configure, serve."""
    work = Path.cwd()
    store = work / "store"
    store.mkdir()
    graph = json.loads((bundle / "bundle.json").read_text())["variants"]["fp32"]["file"]
    batching = work / "model-config.yaml"
    batching.write_text(
        f"minWorkers: {WORKERS}\nmaxWorkers: {WORKERS}\n"
        f"batchSize: {BATCH}\nmaxBatchDelay: {BATCH_MS}\n"
    )
    archive = [sys.executable, "-m", "model_archiver.model_packaging"]
    archive += ["--model-name", "classifier", "--version", "1.0", "--export-path", str(store)]
    archive += ["--handler", str(_HERE / "handler.py"), "--config-file", str(batching)]
    archive += ["--extra-files", f"{bundle / 'bundle.json'},{bundle / graph}"]
    subprocess.run(archive, check=True)
    names = ("port", "management", "metrics", "grpc_inference", "grpc_management")
    ports = {name: port + place for place, name in enumerate(names)}
    config = work / "config.properties"
    config.write_text(_CONFIG.format(store=store, **ports))
    serve = ["-m", "ts.model_server", "--start", "--foreground", "--ncs", "--disable-token-auth"]
    serve += ["--ts-config", str(config), "--log-config", str(_HERE / "log4j2.xml")]
    os.execv(sys.executable, [sys.executable, *serve])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
