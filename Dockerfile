# syntax=docker/dockerfile:1
# docker build --target cpu -t catalens:cpu .    serving, import and batch on CPUs
# docker build --target gpu -t catalens:gpu .    the same on NVIDIA GPUs
# docker build --target train -t catalens:train .    all of it, training too, on CPUs or GPUs

FROM docker.io/library/python:3.11-slim-bookworm AS builder
ENV UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    UV_PYTHON=/opt/catalens/bin/python
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml requirements.lock ./
COPY k8s/image k8s/image
# What the product needs of the lock: not what its tests and benchmarks do.
RUN python -m venv /opt/catalens \
    && uv pip compile --quiet --no-annotate --no-header --constraint requirements.lock \
        --output-file /tmp/names.txt pyproject.toml

FROM builder AS source
# The history that tells the version is not in the context: --build-arg VERSION=1.2.3
ARG VERSION=0.0.0
ENV SETUPTOOLS_SCM_PRETEND_VERSION=${VERSION}
COPY README.md LICENSE ./
COPY catalens catalens
COPY catalog catalog
COPY inference inference
COPY train train
COPY export export
COPY serve serve

FROM source AS cpu-builder
RUN python k8s/image/pick.py /tmp/names.txt requirements.lock \
        'torch*' 'timm' 'triton' 'nvidia-*' 'cuda-*' 'efficientnet-*' > /tmp/picked.lock \
    && uv pip install --no-deps --require-hashes --requirement /tmp/picked.lock \
    && uv pip install --no-deps . \
    && rm /opt/catalens/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so \
    && /opt/catalens/bin/python k8s/image/stand_in.py /opt/catalens/bin/haproxy

FROM source AS gpu-builder
# Of NVIDIA's packages only what ONNX Runtime loads.
RUN python k8s/image/pick.py /tmp/names.txt requirements.lock \
        'torch*' 'timm' 'triton' 'cuda-*' 'efficientnet-*' 'nvidia-nccl*' 'nvidia-nvshmem*' \
        'nvidia-cus*' 'nvidia-cufile*' 'nvidia-cuda-cupti*' 'nvidia-cuda-cccl*' 'nvidia-nvtx*' \
        > /tmp/picked.lock \
    && uv pip install --no-deps --require-hashes --requirement /tmp/picked.lock \
    && uv pip install --no-deps . \
    && /opt/catalens/bin/python k8s/image/stand_in.py /opt/catalens/bin/haproxy

FROM source AS train-builder
RUN python k8s/image/pick.py /tmp/names.txt requirements.lock > /tmp/picked.lock \
    && uv pip install --no-deps --require-hashes --requirement /tmp/picked.lock \
    && uv pip install --no-deps . \
    && /opt/catalens/bin/python k8s/image/stand_in.py /opt/catalens/bin/haproxy

FROM docker.io/library/python:3.11-slim-bookworm AS runtime
# libgomp is LightGBM's; procps has the `ps` that Ray looks for its processes with. Debian keeps no
# version but the newest of its release, which a pin would ask for in vain.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 procps \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 catalens \
    && useradd --uid 10001 --gid 10001 --create-home catalens
ENV PATH=/opt/catalens/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    RAY_USAGE_STATS_ENABLED=0
WORKDIR /home/catalens
USER 10001:10001
EXPOSE 8000
CMD ["catalens", "--help"]

FROM runtime AS cpu
COPY --from=cpu-builder /opt/catalens /opt/catalens

FROM runtime AS gpu
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=gpu-builder /opt/catalens /opt/catalens

FROM runtime AS train
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=train-builder /opt/catalens /opt/catalens
