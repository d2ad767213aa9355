# In place of rust:VERSION-slim-bookworm: a C compiler, and this machine's own Rust.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
# Whom this machine trusts, cargo in there must trust as well: a proxy's own authority may be among.
COPY ca-certificates.crt /etc/ssl/certs/
COPY rust /usr/local
