#!/bin/bash
# USER COMMAND …: when keys lie in /tls, gives USER copies that only it may read, adds $TLS_OPTIONS to the command, and
# goes on with the image's own entrypoint.
set -euo pipefail
user=$1
shift
if [ -f /tls/server.key ]; then
  mkdir -p /var/tls
  cp /tls/*.pem /tls/server.key /var/tls/
  chmod 600 /var/tls/server.key
  chown -R "$user:" /var/tls
  set -- "$@" $TLS_OPTIONS
fi
exec docker-entrypoint.sh "$@"
