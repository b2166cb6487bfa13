# Runs a server for as long as somebody holds this script's standard input open, however that somebody ends.
# Arguments: directory to remove afterwards, log file, the server and its arguments.
directory=$1
log=$2
shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
{
    read -r _ <&3
    : >"$directory/over"
    kill -QUIT "$server"
    tries=0
    while kill -0 "$server" && [ "$tries" -lt 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -KILL "$server"
} 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
if [ ! -e "$directory/over" ]; then
    kill "$watcher"
fi
wait "$watcher"
if [ -e "$directory/over" ]; then
    # Out of the directory, so that it can go.
    cd / && rm -rf -- "$directory"
fi
exit "$status"
