# The command in an image, for a Job or an init container (docs/kubernetes.md):
#   docker build --tag temporal-visibility .
#   docker build --tag temporal-visibility --build-arg 'EXTRAS=[chdb]' .     with embedded ClickHouse
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG EXTRAS=""
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY toolkit toolkit
COPY schema schema
# The versions that the tests ran with; uv makes bytecode, so that a command starts at once on a read-only disk.
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet 'uv>=0.8,<1' \
 && python3 -m venv --without-pip /opt/temporal-visibility \
 && /opt/uv/bin/uv pip install --system-certs --quiet --no-cache --compile-bytecode --python /opt/temporal-visibility/bin/python \
    --constraint requirements.lock ".${EXTRAS}"

FROM ${BASE}
COPY --from=build /opt/temporal-visibility /opt/temporal-visibility
ENV PATH="/opt/temporal-visibility/bin:${PATH}" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# temporal-visibility.yaml, overlays and plans are looked for here.
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["temporal-visibility"]
