# The one binary, on the base layer that every image shares. It is built beforehand (make build), so that this needs
# no network; .dockerignore lets nothing else into the context.
ARG BASE=chatiere/base:trixie
FROM ${BASE}
COPY bin/chatiere /usr/local/bin/chatiere
ENTRYPOINT ["/usr/local/bin/chatiere"]
