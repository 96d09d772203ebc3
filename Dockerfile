# docker build -t tess-discord .
# docker run --env-file .env -v tess-discord:/data --stop-timeout 30 tess-discord
#
# --stop-timeout exceeds SHUTDOWN_GRACE (25 s), so that running answers can finish.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# Dependencies only, with empty sources: Docker builds this layer again only when they change.
COPY Cargo.toml Cargo.lock ./
COPY crates/sim/Cargo.toml crates/sim/
COPY crates/playground/Cargo.toml crates/playground/
RUN mkdir -p src crates/sim/src crates/playground/src/bin && touch src/lib.rs crates/sim/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs > crates/playground/src/bin/demo.rs \
    && cargo build --release --locked -p tess-discord --bin tess-discord \
    && rm -r src

# Cargo compares modification times. COPY keeps those of the host, which may be older than the empty sources.
COPY src src
RUN find src -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p tess-discord --bin tess-discord \
    && mkdir /data

# No shell and no package manager. The TLS root certificates are part of the executable.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/tess-discord /usr/local/bin/tess-discord
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
ENV STATE_URL=sqlite:/data/tess-discord.db HEALTH_ADDR=127.0.0.1:8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/usr/local/bin/tess-discord", "health"]
ENTRYPOINT ["/usr/local/bin/tess-discord"]
