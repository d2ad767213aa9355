# netsieve in a container: no root, nothing written to its own file system.
#
#   docker build -t netsieve .
#   docker run --read-only -p 127.0.0.1:9898:9898 netsieve run --bootstrap kafka:9092
#
# Configuration comes from the environment (NETSIEVE__SECTION__KEY), or from a file that is mounted
# and named: -v ./netsieve.toml:/etc/netsieve.toml:ro -e NETSIEVE_CONFIG=/etc/netsieve.toml

# All of the image but the binary. First, so that a binary which is built already can be put into
# it without the compiler's image: see docs/deploy.md.
FROM debian:bookworm-slim AS runtime
# The public authorities, for brokers whose certificates they signed.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/healthcheck /usr/local/bin/netsieve-healthcheck
# A number, so that Kubernetes' runAsNonRoot can tell.
USER 65532:65532
# The binary's own default is the loopback interface, where nobody outside the container comes.
ENV NETSIEVE__HTTP__LISTEN=0.0.0.0:9898
EXPOSE 9898
# Alive, not ready: whoever restarts what is unhealthy must not do so while brokers are away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["netsieve-healthcheck", "/livez"]
ENTRYPOINT ["netsieve"]
CMD ["run"]

FROM rust:1.95-slim-bookworm AS build
# What librdkafka and OpenSSL are built with, beside the C compiler that is there.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# The dependencies first, with an empty crate around them: they take most of the time, and are
# built again only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches tests tests/chaos \
    && touch src/lib.rs \
    && for file in src/main.rs build.rs benches/core.rs benches/relay.rs tests/chaos/main.rs; do \
        echo 'fn main() {}' > $file; \
    done \
    && cargo build --locked --release --bin netsieve
COPY build.rs ./
COPY proto proto
COPY src src
# Cargo goes by the time of a file, which COPY keeps: without this the empty crate stays.
# Backtraces keep their lines, in a third of the room.
RUN touch build.rs src/lib.rs src/main.rs \
    && cargo build --locked --release --bin netsieve \
    && objcopy --compress-debug-sections target/release/netsieve

FROM runtime
COPY --from=build /build/target/release/netsieve /usr/local/bin/
