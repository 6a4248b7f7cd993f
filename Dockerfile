# fiftythree in an image with nothing else in it: one static binary, its settings and the lab zone.
#
#   docker build -t fiftythree .
#   docker run --rm -p 127.0.0.1:5300:53/udp -p 127.0.0.1:5300:53/tcp fiftythree
#
# Only syntax that the classic builder and BuildKit share. docs/container.md has the rest.

FROM rust:1-slim-bookworm AS build
WORKDIR /build

# glibc linked in, so that the result runs from an empty root. `+crt-static` needs an explicit `--target` (without one it would
# apply to build scripts and procedural macros too), which is the builder's own: x86_64 or aarch64, whatever builds this.
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN rustc -vV | sed -n 's/^host: //p' > target-triple && cat target-triple

# `--build-arg PROFILE=release` builds in half the time; answers then take about 0.2 µs longer.
ARG PROFILE=dist

# The dependencies are a layer of their own that a change under src/ leaves alone: they are built for an empty program first. Its
# manifest is ours without the sections that name benches, tests and examples, since those files are not here.
COPY Cargo.toml Cargo.lock ./
RUN awk '/^\[\[(bench|test|example)\]\]/ { skip = 1; next } /^\[/ { skip = 0 } !skip' Cargo.toml > Cargo.stripped.toml \
 && mv Cargo.stripped.toml Cargo.toml \
 && mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
 && cargo build --profile "$PROFILE" --locked --target "$(cat target-triple)"

COPY src src
COPY config config
COPY zones zones
# COPY keeps the files' times, which may be older than the empty program's: cargo must see that they changed.
RUN touch src/lib.rs src/main.rs \
 && cargo build --profile "$PROFILE" --locked --bin fiftythree --target "$(cat target-triple)" \
 && mkdir -p root/etc/fiftythree/zones root/var/lib/fiftythree root/licenses \
 && cp "target/$(cat target-triple)/$PROFILE/fiftythree" root/fiftythree \
 && cp config/container.toml root/etc/fiftythree/fiftythree.toml \
 && cp zones/*.toml root/etc/fiftythree/zones/
COPY LICENSE-MIT LICENSE-APACHE root/licenses/
# Settings and zones that ship must be right: the image is not built otherwise.
RUN cp -r root/etc/fiftythree /etc/ && root/fiftythree check --config /etc/fiftythree/fiftythree.toml

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fiftythree" \
      org.opencontainers.image.description="An authoritative DNS server that routes like Amazon Route 53" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# Owned by the server's user: a volume made from this directory is then writable for it, an empty root being what it is.
COPY --from=build --chown=53:53 /build/root/etc/fiftythree /etc/fiftythree
COPY --from=build --chown=53:53 /build/root/var/lib/fiftythree /var/lib/fiftythree
COPY --from=build /build/root/licenses /licenses
COPY --from=build /build/root/fiftythree /fiftythree

# The server has its own allocator. The C library's would reserve 64 MiB of address space per thread.
ENV MALLOC_ARENA_MAX=1
# There is no /tmp. Container engines mount this, also with a read-only root: `fiftythree demo` keeps its files there.
ENV TMPDIR=/dev/shm

# Settings and zones; and what the server remembers across restarts. Nothing else is ever written: `--read-only` works.
VOLUME ["/etc/fiftythree", "/var/lib/fiftythree"]

# By number, so that Kubernetes' runAsNonRoot can see that it is not root. Port 53 needs no capability: container engines set
# net.ipv4.ip_unprivileged_port_start=0 in the container's network (Docker since 20.10), so `--cap-drop ALL` works. With
# `--network host` that setting is the host's: docs/container.md says what to do.
USER 53:53
EXPOSE 53/udp 53/tcp 4566/tcp

# A real DNS question to itself, by the same binary: no shell, no curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["/fiftythree", "query", "--self"]
# Drain and stop.
STOPSIGNAL SIGTERM

ENTRYPOINT ["/fiftythree"]
CMD ["serve"]
