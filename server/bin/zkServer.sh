#!/bin/sh
# Starts, stops and asks a Zoowarden server the way ZooKeeper's zkServer.sh does: the same verbs,
# variables, files, answers and exit codes, so that what calls that script can call this one.
#
#   zkServer.sh [--config DIR] {start|start-foreground|stop|restart|status|version|print-cmd} [CFG]
#
# Differences: nothing is said of JMX, since there is none; `stop` waits until the server is gone;
# a verb that does not exist ends with 1. The binary is $ZOOWARDEN, or `zoowarden` beside this script
# or in its prefix's bin, or in the PATH.

# Seconds that a server gets to stop.
STOP_SECONDS=30

link=$0
while [ -h "$link" ]; do
    target=$(readlink "$link") || break
    case $target in
    /*) link=$target ;;
    *) link=$(dirname "$link")/$target ;;
    esac
done
here=$(cd "$(dirname "$link")" && pwd) || exit 1

if [ "$1" = --config ]; then
    ZOOCFGDIR=$2
    shift
    [ $# -gt 0 ] && shift
fi
verb=$1

if [ -z "$ZOOCFGDIR" ]; then
    if [ -e "$here/../conf" ]; then
        ZOOCFGDIR=$here/../conf
    elif [ -e /etc/zookeeper/conf ]; then
        ZOOCFGDIR=/etc/zookeeper/conf
    else
        ZOOCFGDIR=$here/../etc/zookeeper
    fi
fi
for settings in zookeeper-env.sh java.env; do
    # Both are the operator's: they set variables for this script and flags for the server.
    # shellcheck source=/dev/null
    [ -f "$ZOOCFGDIR/$settings" ] && . "$ZOOCFGDIR/$settings"
done
export SERVER_JVMFLAGS="$SERVER_JVMFLAGS" JVMFLAGS="$JVMFLAGS"

ZOOCFG=$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}
if [ -n "$2" ]; then
    case $2 in
    */*) ZOOCFG=$2 ;;
    *) ZOOCFG=$ZOOCFGDIR/$2 ;;
    esac
fi

if [ -z "$ZOOWARDEN" ]; then
    if [ -x "$here/zoowarden" ]; then
        ZOOWARDEN=$here/zoowarden
    elif [ -x "$here/../bin/zoowarden" ]; then
        ZOOWARDEN=$here/../bin/zoowarden
    else
        ZOOWARDEN=zoowarden
    fi
fi

# The last value of a key in a file, trimmed.
setting() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" "$2" 2>/dev/null |
        sed -e 's/[[:space:]]*$//' | tail -n 1
}

usage() {
    echo "Usage: $0 [--config <conf-dir>]" \
        "{start|start-foreground|stop|version|restart|status|print-cmd}" >&2
    exit 1
}

case $verb in
version) exec "$ZOOWARDEN" --version ;;
start | start-foreground | stop | restart | status | print-cmd) ;;
*) usage ;;
esac

echo "Using config: $ZOOCFG" >&2

ZOO_DATADIR=$(setting dataDir "$ZOOCFG")
ZOO_DATALOGDIR=$(setting dataLogDir "$ZOOCFG")
autocreate=
if [ -n "$ZOO_DATADIR_AUTOCREATE_DISABLE" ]; then
    if [ ! -d "$ZOO_DATADIR" ]; then
        echo "ZooKeeper data directory is missing at $ZOO_DATADIR fix the path or run initialize"
        exit 1
    fi
    if [ -n "$ZOO_DATALOGDIR" ] && [ ! -d "$ZOO_DATALOGDIR" ]; then
        echo "ZooKeeper txnlog directory is missing at $ZOO_DATALOGDIR fix the path or run initialize"
        exit 1
    fi
    autocreate=-Dzookeeper.datadir.autocreate=false
fi

ZOO_LOG_DIR=${ZOO_LOG_DIR:-$here/../logs}
output=$ZOO_LOG_DIR/zookeeper-${USER:-$(id -un)}-server-$(uname -n).out

# Makes the folder of the pid file. Without dataDir and ZOOPIDFILE there is no place for it.
find_pid_file() {
    if [ -n "$ZOOPIDFILE" ]; then
        mkdir -p "$(dirname "$ZOOPIDFILE")"
    elif [ -n "$ZOO_DATADIR" ]; then
        mkdir -p "$ZOO_DATADIR"
        ZOOPIDFILE=$ZOO_DATADIR/zookeeper_server.pid
    else
        echo "No dataDir in $ZOOCFG and no ZOOPIDFILE: nowhere to keep the process id" >&2
        exit 1
    fi
}

start() {
    printf 'Starting zookeeper ... '
    find_pid_file
    if [ -f "$ZOOPIDFILE" ] && kill -0 "$(cat "$ZOOPIDFILE")" 2>/dev/null; then
        echo "already running as process $(cat "$ZOOPIDFILE")."
        exit 1
    fi
    mkdir -p "$ZOO_LOG_DIR"
    # Unquoted: it is one word or none.
    # shellcheck disable=SC2086
    nohup "$ZOOWARDEN" server --config "$ZOOCFG" $autocreate >"$output" 2>&1 </dev/null &
    pid=$!
    if ! printf '%s' "$pid" >"$ZOOPIDFILE"; then
        echo "FAILED TO WRITE PID"
        exit 1
    fi
    sleep 1
    if kill -0 "$pid" 2>/dev/null; then
        echo STARTED
    else
        echo "FAILED TO START"
        exit 1
    fi
}

stop() {
    printf 'Stopping zookeeper ... '
    find_pid_file
    if [ ! -f "$ZOOPIDFILE" ]; then
        echo "no zookeeper to stop (could not find file $ZOOPIDFILE)"
        return
    fi
    pid=$(cat "$ZOOPIDFILE")
    kill "$pid"
    rm "$ZOOPIDFILE"
    waited=0
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$waited" -ge "$STOP_SECONDS" ]; then
            echo "process $pid has not ended after $STOP_SECONDS s"
            exit 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
    echo STOPPED
}

# Sets clientPort and clientPortAddress: from their keys, or from the server's own line.
find_client_port() {
    clientPortAddress=$(setting clientPortAddress "$ZOOCFG")
    clientPortAddress=${clientPortAddress:-localhost}
    clientPort=$(setting clientPort "$ZOOCFG")
    [ -n "$clientPort" ] && return
    myid=$(cat "$ZOO_DATADIR/myid" 2>/dev/null)
    if [ -z "$myid" ]; then
        echo "myid could not be determined, will not able to locate clientPort in the server configs."
        return
    fi
    line=$(setting "server\.$myid" "$ZOOCFG")
    case $line in
    *\;*) ;;
    *)
        echo "Client port not found in static config file. Looking in dynamic config file."
        line=$(setting "server\.$myid" "$(setting dynamicConfigFile "$ZOOCFG")")
        ;;
    esac
    case $line in
    *\;*) ;;
    *)
        echo "Client port not found in the server configs"
        return
        ;;
    esac
    client=${line#*;}
    client=${client%%;*}
    clientPort=${client##*:}
    case $client in
    *:*)
        clientPortAddress=${client%:*}
        clientPortAddress=${clientPortAddress#\[}
        clientPortAddress=${clientPortAddress%\]}
        ;;
    esac
}

status() {
    isSSL=false
    find_client_port
    if [ -z "$clientPort" ]; then
        echo "Client port not found. Looking for secureClientPort in the static config."
        clientPort=$(setting secureClientPort "$ZOOCFG")
        if [ -z "$clientPort" ]; then
            echo "Unable to find either secure or unsecure client port in any configs. Terminating."
            exit 1
        fi
        isSSL=true
        clientPortAddress=$(setting secureClientPortAddress "$ZOOCFG")
        clientPortAddress=${clientPortAddress:-localhost}
    fi
    echo "Client port found: $clientPort. Client address: $clientPortAddress. Client SSL: $isSSL."
    case $clientPortAddress in
    *:*) asked="[$clientPortAddress]:$clientPort" ;;
    *) asked=$clientPortAddress:$clientPort ;;
    esac
    mode=$("$ZOOWARDEN" ask "$asked" srvr 2>/dev/null | grep Mode)
    if [ -z "$mode" ]; then
        echo "Error contacting service. It is probably not running."
        exit 1
    fi
    echo "$mode"
}

case $verb in
start) start ;;
start-foreground)
    find_pid_file
    if [ -n "$ZOO_NOEXEC" ]; then
        # shellcheck disable=SC2086
        "$ZOOWARDEN" server --config "$ZOOCFG" $autocreate
    else
        # shellcheck disable=SC2086
        exec "$ZOOWARDEN" server --config "$ZOOCFG" $autocreate
    fi
    ;;
print-cmd)
    echo "\"$ZOOWARDEN\" server --config \"$ZOOCFG\" $autocreate > \"$output\" 2>&1 < /dev/null"
    ;;
stop) stop ;;
restart)
    stop
    start
    ;;
status) status ;;
esac
