ARG BASE
FROM ${BASE}
RUN export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q && apt-get install -q -y --no-install-recommends busybox postgresql-client && rm -rf /var/lib/apt/lists/*
COPY query /srv/query
COPY index.html /srv/www/index.html
COPY notes /srv/www/cgi-bin/notes
CMD ["busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/srv/www"]
