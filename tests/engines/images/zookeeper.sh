#!/bin/bash
# Stand-in for the official zookeeper entrypoint: ZOO_4LW_COMMANDS_WHITELIST, ZOO_TICK_TIME; port 2181, data in /data.
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
  mkdir -p /data
  chown -R zookeeper: /data
  exec setpriv --reuid=zookeeper --regid=zookeeper --clear-groups "$0" "$@"
fi
cat >/data/zoo.cfg <<END
tickTime=${ZOO_TICK_TIME:-2000}
dataDir=/data
clientPort=2181
admin.enableServer=false
maxClientCnxns=0
4lw.commands.whitelist=${ZOO_4LW_COMMANDS_WHITELIST:-srvr}
END
cat >/data/logback.xml <<'END'
<configuration><appender name="console" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%d %-5level %logger - %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="console"/></root></configuration>
END
exec /usr/lib/jvm/java-17-openjdk-amd64/bin/java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dlogback.configurationFile=/data/logback.xml -cp '/opt/zookeeper/*' \
  org.apache.zookeeper.server.quorum.QuorumPeerMain /data/zoo.cfg
