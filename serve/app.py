"""The Ray Serve application: `serve run serve.app:app bundle=PATH catalog=PATH`.

Two deployments. `Classifier` is the ingress: it holds the ONNX session, so a photo that comes in
over HTTP is answered where it arrives. `LiveCatalog` is the one process that writes products.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray import serve
from ray._common.constants import HEAD_NODE_RESOURCE_NAME
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp

from inference.devices import Device, VariantName
from serve.api import create_api
from serve.catalog_over_ray import catalog_over_ray
from serve.logs import log_as_ray_does
from serve.loopback import keep_replica_on_loopback
from serve.metrics import ReplicaMetrics
from serve.model import Hardware
from serve.service import Service
from serve.settings import Settings, read_settings

# One line per request would cost more than the request's JSON.
_QUIET = LoggingConfig(enable_access_log=False, log_level="WARNING")
_CATALOG_REQUESTS = 1_000
# Of replicas that do not start, before Ray gives up for good; how many for each that is wanted is
# RAY_SERVE_MAX_PER_REPLICA_RETRY_COUNT: three on a laptop, without end on a cluster.
_START_FAILURES = 2**31 - 1
# Ray's own 10 s is how long a killed replica would go unnoticed.
_HEALTH_CHECK_S = 2.0


class AppArguments(BaseModel):
    """What `serve run` may be given as NAME=VALUE.

    Attributes:
        bundle: directory or s3:// prefix; the first value of the user config, through which it is
            replaced later. Not given where a configuration file has a user config.
        catalog: directory or s3:// prefix.
        device: auto, cpu, cuda or tensorrt.
        variant: auto, fp32, fp16 or int8; auto takes the fastest on the device.
        replicas: of the classifier.
        cpus: cores that each of them takes from the cluster.
        gpus: GPUs that each of them takes; a share below 1 is the share of the memory it may use.
            One on cuda and tensorrt if not given.
    """

    model_config = ConfigDict(extra="forbid")

    bundle: str | None = None
    catalog: str | None = None
    device: Device = "auto"
    variant: VariantName = "auto"
    replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=1.0, ge=0)
    gpus: float | None = Field(default=None, ge=0)

    @property
    def hardware(self) -> Hardware:
        """What a replica runs its graph on."""
        given = 1.0 if self.device in ("cuda", "tensorrt") else 0.0
        gpus = given if self.gpus is None else self.gpus
        return Hardware(self.device, self.variant, gpus)


class UserConfig(BaseModel):
    """What may change while the application runs.

    Attributes:
        bundle: directory of the bundle to serve, or its place on S3 or GCS.
        shadow: that of a candidate, which sees a share of the photos to be classified; `/v1/model`
            says how often it disagrees.
        shadow_share: of the requests, from 0 to 1.
    """

    model_config = ConfigDict(extra="forbid")

    bundle: str
    shadow: str | None = None
    shadow_share: float = Field(default=0.1, ge=0, le=1)


@serve.ingress()
class Classifier:
    """The ingress replica: HTTP, decode, inference."""

    def __init__(
        self,
        settings: Settings,
        hardware: Hardware,
        cpus: float = 1.0,
        catalog: DeploymentHandle | None = None,
    ) -> None:
        keep_replica_on_loopback()
        log_as_ray_does()
        self._settings = settings.of_replica(cpus)
        self._hardware = hardware
        self._handle = catalog
        self._service: Service | None = None

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        """The API, around a service that has no model yet."""
        door = None if self._handle is None else catalog_over_ray(self._handle)
        self._service = Service(self._settings, self._hardware, door, ReplicaMetrics())
        return create_api(self._service)

    async def reconfigure(self, user_config: dict[str, object]) -> None:
        """Serve another bundle.

        The first must load, or the replica does not start. Any later one is loaded beside it and
        this returns at once, for meanwhile Ray keeps requests away; `/v1/model` says what became
        of it.
        """
        service = self._service
        assert service is not None
        try:
            wanted = UserConfig.model_validate(user_config)
        except ValidationError as error:
            if not service.slot.loaded:
                raise
            service.slot.refuse(str(user_config.get("bundle")), str(error))
            return
        known = service.slot.swap
        if known is None:
            await service.first(wanted.bundle)
        elif known.bundle != wanted.bundle or known.state == "refused":
            service.slot.follow(wanted.bundle)
        # Once it is promoted, a candidate has nothing to be compared with.
        shadow = None if wanted.shadow == wanted.bundle else wanted.shadow
        service.shadow.follow(shadow, wanted.shadow_share)

    async def check_health(self) -> None:
        """Raise when the inference thread has ended, so that Ray replaces the replica."""
        slot = self._service.slot if self._service else None
        if slot is not None and slot.loaded and not slot.active.batcher.alive:
            raise RuntimeError("the inference thread has ended")


def app(args: AppArguments) -> serve.Application:
    """The application, for `serve run`, `serve deploy` and `catalens serve`."""
    settings = read_settings()
    catalog = None
    if args.catalog is not None:
        from serve.live_catalog import ServedCatalog  # the store, which classifiers do without

        deployed = serve.deployment(
            name="LiveCatalog",
            num_replicas=1,
            # On the head: a worker that holds it would never be idle, and never go.
            ray_actor_options={"num_cpus": 0, "resources": {HEAD_NODE_RESOURCE_NAME: 0.001}},
            max_ongoing_requests=_CATALOG_REQUESTS,
            max_constructor_retry_count=_START_FAILURES,
            logging_config=_QUIET,
        )(ServedCatalog)
        catalog = deployed.bind(_absolute(args.catalog), settings.maintain_every_s)
    first = None
    if args.bundle is not None:
        first = UserConfig(bundle=_absolute(args.bundle)).model_dump()
    return serve.deployment(
        name="Classifier",
        num_replicas=args.replicas,
        ray_actor_options={"num_cpus": args.cpus, "num_gpus": args.hardware.gpus},
        user_config=first,
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_ongoing_requests,
        max_constructor_retry_count=_START_FAILURES,
        health_check_period_s=_HEALTH_CHECK_S,
        logging_config=_QUIET,
    )(Classifier).bind(settings, args.hardware, args.cpus, catalog)


def _absolute(uri: str) -> str:
    """Replicas have another working directory."""
    return uri if "://" in uri else str(Path(uri).absolute())
