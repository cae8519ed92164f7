"""What `catalens serve` may be told; the command line is made from this dataclass."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ServeConfig:
    """How to serve a bundle on this machine.

    Attributes:
        catalog: catalog directory or s3:// prefix; without one, calls that need it are refused.
        host: address to listen on; everything else stays on loopback.
        port: port to listen on.
        metrics_port: port on which Prometheus reads /metrics, on loopback; a free one if not given.
        device: cpu, cuda or tensorrt; auto takes a GPU where one works.
        variant: fp32, fp16 or int8; auto takes the bundle's fastest on the device.
        replicas: server processes, each with its own copy of the model.
        gpus: GPUs that each replica takes; a share below 1 is the share of the memory it may use.
            One on cuda and tensorrt if not given.
    """

    catalog: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    metrics_port: int | None = None
    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    variant: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    replicas: int = 1
    gpus: float | None = None
