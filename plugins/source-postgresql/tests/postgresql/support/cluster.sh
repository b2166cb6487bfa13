# Runs a throwaway PostgreSQL until standard input ends, then removes every trace of it: also when the test that started it was killed.
# Arguments: directory with the server's programs, port, directory with server.crt and server.key, and for a standby the port of its primary.
# Prints its directory when the server answers. Then obeys commands, one a line, and prints a line for each: ok, or what went wrong.
set -eu
programs=$1 port=$2 certificates=$3 primary=${4:-}
directory=$(mktemp -d "${TMPDIR:-/tmp}/longshore-postgresql-XXXXXX")
server=
end() {
    if [ -n "$server" ]; then
        kill -INT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap end EXIT
trap 'exit 1' INT TERM

make_primary() {
    printf 'secret\n' >"$directory/password"
    "$programs/initdb" --pgdata "$directory/data" --username longshore --pwfile "$directory/password" --auth scram-sha-256 \
        --encoding UTF8 --locale C --no-sync
    cp "$certificates/server.crt" "$certificates/server.key" "$directory/data/"
    chmod 600 "$directory/data/server.key"
    cat >>"$directory/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 200
max_prepared_transactions = 8
autovacuum = off
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
SETTINGS
}

make_standby() {
    PGPASSWORD=secret "$programs/pg_basebackup" --host 127.0.0.1 --port "$primary" --username longshore --pgdata "$directory/data" \
        --write-recovery-conf --checkpoint fast --no-sync
    # A read that is in the way of what is replayed is cancelled at once.
    printf "max_standby_streaming_delay = 0\nhot_standby_feedback = off\nwal_retrieve_retry_interval = '100ms'\n" >>"$directory/data/postgresql.conf"
}

start() {
    "$programs/postgres" -D "$directory/data" </dev/null >>"$directory/server.log" 2>&1 &
    server=$!
    tries=0
    until "$programs/pg_isready" --quiet --host "$directory" --port "$port"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
            return 1
        fi
        sleep 0.1
    done
}

stop() {
    kill "-$1" "$server" && wait "$server" || true
    server=
}

# The next transaction's number, with a status file for the stretch it lies in. 32 pages of 8 KiB hold 2^20 transactions.
set_next_transaction() {
    file="$directory/data/pg_xact/$(printf '%04X' $(($1 / 1048576)))"
    [ -e "$file" ] || dd if=/dev/zero of="$file" bs=262144 count=1 status=none
    "$programs/pg_resetwal" --next-transaction-id "$1" ${2:+--oldest-transaction-id "$2"} --pgdata "$directory/data"
}

obey() {
    case $1 in
    start) start ;;
    stop) stop INT ;;
    crash) stop QUIT ;;
    set_next_transaction) set_next_transaction "$2" "${3:-}" ;;
    backup) rm -rf "$directory/backup" && cp -a "$directory/data" "$directory/backup" ;;
    restore) rm -rf "$directory/data" && cp -a "$directory/backup" "$directory/data" ;;
    *) return 1 ;;
    esac
}

if [ -z "$primary" ]; then make=make_primary; else make=make_standby; fi
$make >"$directory/server.log" 2>&1 || { cat "$directory/server.log" >&2; exit 1; }
printf "port = %s\nunix_socket_directories = '%s'\n" "$port" "$directory" >>"$directory/data/postgresql.conf"
start || { cat "$directory/server.log" >&2; exit 1; }
echo "$directory"
while read -r command first second; do
    if obey "$command" "$first" "$second" >>"$directory/server.log" 2>&1; then echo ok; else tail -n 5 "$directory/server.log" | tr '\n' ' '; echo; fi
done
