#!/bin/bash
# Stand-in for the official clickhouse-server image over chDB: port 8123 only, no cluster. The same variables.
set -euo pipefail
mkdir -p /var/lib/clickhouse /tmp
chmod 1777 /tmp
keeper=/etc/clickhouse-server/config.d/keeper.xml
[ ! -e $keeper ] || export STAND_IN_CONFIG=$keeper
exec python3 /opt/clickhouse_front.py
