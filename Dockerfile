# The image for SOAR's App Host, or any other container platform.
#
#   docker build -t fn_exchange_online:2.0.0 .
#
# Both base images can be chosen, for instance those of a registry of your own, by digest as well:
#   docker build --build-arg BUILD_IMAGE=… --build-arg RUNTIME_IMAGE=… .
# The runtime image must be a Debian or Ubuntu, or bring tini and the CA certificates itself. CONTRIBUTING.md says how
# the digests are renewed; a digest that does not exist ends the build.

ARG BUILD_IMAGE=docker.io/library/rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG RUNTIME_IMAGE=docker.io/library/debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171

FROM ${BUILD_IMAGE} AS build
ARG BUILD_IMAGE
ARG RUNTIME_IMAGE
RUN for image in "$BUILD_IMAGE" "$RUNTIME_IMAGE"; do \
      case "$image" in *@sha256:*) ;; *) echo "$image has no digest (@sha256:…): its tag may change" >&2; exit 1;; esac; \
    done
WORKDIR /usr/src/fn-exchange-online
# The commit that --version shows: docker build --build-arg COMMIT="$(git rev-parse HEAD)" …
ARG COMMIT=
ENV FN_EXCHANGE_ONLINE_COMMIT=${COMMIT}
COPY . .
# Without the sandbox: nothing in the image can play a SOAR or a Graph tenant.
RUN deploy/build
RUN deploy/assets target/dist/fn-exchange-online .

# What the program is made of, for scanners: a CycloneDX list of every crate with version, licence and checksum. In a
# stage of its own, so that no build script of this tool runs where the program is built.
FROM ${BUILD_IMAGE} AS parts
RUN cargo install --locked cargo-cyclonedx@0.5.9
WORKDIR /usr/src/fn-exchange-online
COPY . .
RUN cargo cyclonedx --format json --spec-version 1.5 --describe binaries --no-default-features \
      --features jemalloc --target "$(rustc --print host-tuple)"

FROM ${RUNTIME_IMAGE}
# tini is process 1: it hands on signals and reaps what others leave behind.
RUN if command -v apt-get >/dev/null; then \
      apt-get update \
      && apt-get install -y --no-install-recommends ca-certificates tini \
      && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=build /usr/src/fn-exchange-online/target/dist/fn-exchange-online /usr/local/bin/fn-exchange-online
COPY --from=parts /usr/src/fn-exchange-online/fn-exchange-online_bin.cdx.json \
     /usr/share/sbom/fn-exchange-online.cdx.json
# Completions and manual pages.
COPY --from=build /usr/src/fn-exchange-online/share /usr/local/share
COPY deploy/entrypoint.sh /opt/rescircuits/entrypoint.sh
# App Host and administrators' habits know the program by the name of SOAR's own framework.
RUN ln -s fn-exchange-online /usr/local/bin/resilient-circuits \
    && mkdir -p /etc/rescircuits /var/rescircuits /var/log/rescircuits \
    && chown 1001:0 /var/log/rescircuits \
    && chmod 2775 /var/log/rescircuits

# Where App Host puts the configuration, and where it looks for the log. Nothing else is written, so the root
# file system can be read-only, and the user id can be any: OpenShift picks one, in group 0.
ENV APP_HOST_CONTAINER=1 \
    APP_CONFIG_FILE=/etc/rescircuits/app.config \
    APP_LOG_DIR=/var/log/rescircuits
VOLUME ["/var/log/rescircuits"]
USER 1001:0
ENTRYPOINT ["tini", "--", "fn-exchange-online"]
CMD ["run"]
