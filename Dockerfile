# docker build --tag=vft . && docker run --rm --volume="$PWD:/data" vft check train.jsonl
ARG PYTHON=python:3.13-slim-bookworm
FROM $PYTHON AS build
COPY . /source
RUN python -m venv /opt/vft && /opt/vft/bin/pip install --no-cache-dir --disable-pip-version-check /source

FROM $PYTHON
COPY --from=build /opt/vft /opt/vft
ENV PATH="/opt/vft/bin:$PATH"
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["vft"]
CMD ["--help"]
