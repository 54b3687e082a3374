#!/bin/bash
# Stand-in for the official mysql entrypoint: the same variables, port, data directory and accounts.
set -euo pipefail
case ${1:-} in -*) set -- mysqld "$@" ;; esac
[ "${1:-}" = mysqld ] || exec "$@"
data=/var/lib/mysql
if [ "$(id -u)" = 0 ]; then
  mkdir -p $data /var/run/mysqld /tmp
  chmod 1777 /tmp
  chown -R mysql: $data /var/run/mysqld
  exec setpriv --reuid=mysql --regid=mysql --clear-groups "$0" "$@"
fi
shift
base=/usr/share/mysql
if [ -d /opt/mysql ]; then
  base=/opt/mysql/share
  [ -d $base/charsets ] || base=/opt/mysql/share/mysql
  plugins=/opt/mysql/lib/plugin
  [ -d $plugins ] || plugins=/opt/mysql/lib/mysql/plugin
  export LD_LIBRARY_PATH=/opt/mysql/lib/private
  set -- --basedir=/opt/mysql --plugin-dir=$plugins "$@"
fi
set -- mysqld --no-defaults --lc-messages-dir="$base" --character-sets-dir="$base/charsets" --secure-file-priv=NULL --skip-name-resolve \
  --datadir=$data --socket=/var/run/mysqld/mysqld.sock --pid-file=/var/run/mysqld/mysqld.pid "$@"
if [ ! -e $data/ready ]; then
  [ -n "${MYSQL_ROOT_PASSWORD:-}" ] || { echo "MYSQL_ROOT_PASSWORD must be set" >&2; exit 1; }
  quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\'\'}"; }
  password=$(quoted "$MYSQL_ROOT_PASSWORD") database="\`${MYSQL_DATABASE:-}\`"
  {
    echo "ALTER USER root@localhost IDENTIFIED BY $password;"
    echo "CREATE USER root@'%' IDENTIFIED BY $password;"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    [ -z "${MYSQL_DATABASE:-}" ] || echo "CREATE DATABASE $database;"
    if [ -n "${MYSQL_USER:-}" ]; then
      echo "CREATE USER $(quoted "$MYSQL_USER")@'%' IDENTIFIED BY $(quoted "$MYSQL_PASSWORD");"
      [ -z "${MYSQL_DATABASE:-}" ] || echo "GRANT ALL ON $database.* TO $(quoted "$MYSQL_USER")@'%';"
    fi
  } >/tmp/accounts.sql
  find $data -mindepth 1 -delete # of a start that was cut short
  "$@" --initialize-insecure --init-file=/tmp/accounts.sql
  rm /tmp/accounts.sql
  touch $data/ready
fi
exec "$@"
