# Two ways to the same image:
#   docker build -t weir .                      compiles the sources in a Swift image
#   make image                                  packs the release binary that `make build` made on this machine (Debian 12)
ARG SWIFT_IMAGE=docker.io/library/swift:6.3-bookworm
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${DEBIAN_IMAGE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        librdkafka1 libsqlite3-0 libyaml-0-2 libmicrohttpd12 libsimdjson14 libzstd1 zlib1g libstdc++6 tzdata ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 weir \
    && useradd --uid 10001 --gid weir --no-create-home --home-dir /var/lib/weir --shell /usr/sbin/nologin weir \
    && install -d -o weir -g weir -m 0750 /var/lib/weir /etc/weir
# The only place that is written to: the root file system can be mounted read-only.
VOLUME /var/lib/weir
WORKDIR /var/lib/weir
USER 10001:10001
EXPOSE 8080
# SIGTERM drains, commits and ends within 5 seconds.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["weir", "status"]
ENTRYPOINT ["weir"]
CMD ["run", "/etc/weir/topology.yaml"]

FROM base AS prebuilt
COPY .build/image/weir /usr/local/bin/weir

FROM ${SWIFT_IMAGE} AS build
WORKDIR /src
COPY scripts/setup.sh scripts/setup.sh
RUN scripts/setup.sh libraries
COPY Package.swift ./
COPY Sources Sources
# Test targets are part of the package's description, their sources are not needed.
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --product weir \
    && install -D -m 0755 .build/release/weir /out/weir

FROM base
COPY --from=build /out/weir /usr/local/bin/weir
