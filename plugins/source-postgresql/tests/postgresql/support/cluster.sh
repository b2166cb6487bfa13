# Runs a throwaway PostgreSQL until standard input ends, then removes every trace of it: also when the test that started it was killed.
# Arguments: directory with the server's programs, port, directory with server.crt and server.key.
set -eu
programs=$1 port=$2 certificates=$3
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
printf 'secret\n' >"$directory/password"
"$programs/initdb" --pgdata "$directory/data" --username longshore --pwfile "$directory/password" --auth scram-sha-256 \
    --encoding UTF8 --locale C --no-sync >"$directory/initdb.log" 2>&1 || { cat "$directory/initdb.log" >&2; exit 1; }
cp "$certificates/server.crt" "$certificates/server.key" "$directory/data/"
chmod 600 "$directory/data/server.key"
cat >>"$directory/data/postgresql.conf" <<SETTINGS
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$directory'
fsync = off
max_connections = 200
max_prepared_transactions = 8
autovacuum = off
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
SETTINGS
"$programs/postgres" -D "$directory/data" >"$directory/server.log" 2>&1 </dev/null &
server=$!
tries=0
until "$programs/pg_isready" --quiet --host "$directory" --port "$port"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$directory/server.log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "$directory"
read -r _ || true
