#!/bin/sh
# argosy-run SEQ NAME SHA256 < SCRIPT   starts the script, detached, unless it was started before
# argosy-run status                     says how far it is, and what it printed last
#
# The fence of a machine. Work bears the sequence of its Server's lock, and work of a lower one than was ever seen here is refused, whoever
# sends it; work of a higher one ends what an older holder left running. It goes on when the connection breaks, and is found again by its
# name. Needs flock, setsid, sha256sum and mkfifo, which busybox can have.
#
# Exits with 0 started, or there already; 64 bad arguments; 65 the script did not arrive whole; 69 one of these is missing, which it names;
# 73 no place to write; 75 a lower sequence; 76 other work of the same sequence goes on.
set -u
umask 077
dir=${ARGOSY_ROOT:-}/var/lib/argosy
boot=${ARGOSY_BOOT_ID:-$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown)}
keep=32768 # bytes of the beginning, and of the end, of what a script prints

for tool in flock setsid sha256sum mkfifo; do
  command -v $tool >/dev/null || {
    echo $tool
    exit 69
  }
done

value() { cat "$dir/run/$1" 2>/dev/null || :; }

# born is when a process began, so that a number that was given away again is not taken for it.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# halt what is left of the last work: its group outlives its leader.
halt() {
  pid=$(value pid)
  if [ -z "$pid" ] || [ "$(value boot)" != "$boot" ]; then return 0; fi
  if [ -e "/proc/$pid/stat" ] && [ "$(born "$pid")" != "$(value born)" ]; then return 0; fi
  kill -s KILL -- "-$pid" 2>/dev/null || :
}

# work is the detached part. It holds the lock "running" by descriptor 9, which no child of it inherits.
work() {
  cd "$dir/run" || exit 73
  born $$ >born
  echo $$ >pid
  mkfifo out || exit 73
  { head -c $keep; tail -c $keep; } <out >log 2>/dev/null 9>&- &
  logger=$!
  ARGOSY_SEQUENCE=$(value seq) ARGOSY_NAME=$(value name) sh ./script >out 2>&1 </dev/null 9>&-
  code=$?
  # What it left running may hold the pipe open for ever.
  tries=0
  while [ $tries -lt 20 ] && kill -0 $logger 2>/dev/null; do
    sleep 0.1 2>/dev/null || sleep 1
    tries=$((tries + 1))
  done
  rm -f script out
  echo $code >rc.new && mv -f rc.new rc
}

start() {
  seq=$1 name=$2 sum=$3
  case $seq in '' | *[!0-9]*) exit 64 ;; esac
  case $name in '' | *[!A-Za-z0-9._-]*) exit 64 ;; esac
  mkdir -p "$dir" || exit 73
  arrived=$dir/arrived.$$
  trap 'rm -f "$arrived"' EXIT
  cat >"$arrived" || exit 73
  [ "$(sha256sum <"$arrived" | cut -c1-64)" = "$sum" ] || exit 65
  exec 8>>"$dir/lock" || exit 73
  flock 8 || exit 73
  fence=$(cat "$dir/fence" 2>/dev/null || echo 0)
  [ "$seq" -ge "$fence" ] || exit 75
  if [ "$seq" -gt "$fence" ]; then
    echo "$seq" >"$dir/fence.new" || exit 73
    sync "$dir/fence.new" 2>/dev/null || :
    mv -f "$dir/fence.new" "$dir/fence" || exit 73
  fi
  exec 9>>"$dir/running" || exit 73
  if ! flock -n 9; then
    if [ "$(value name)" = "$name" ]; then exit 0; fi
    if [ "$(value seq)" -ge "$seq" ]; then exit 76; fi
    # It may be about to say who it is.
    while ! flock -n 9; do
      halt
      sleep 0.1 2>/dev/null || sleep 1
    done
  elif [ -e "$dir/run/rc" ]; then
    if [ "$(value name)" = "$name" ]; then exit 0; fi
  else
    halt
  fi
  rm -rf "$dir/run.new"
  mkdir "$dir/run.new" || exit 73
  echo "$seq" >"$dir/run.new/seq"
  echo "$name" >"$dir/run.new/name"
  echo "$boot" >"$dir/run.new/boot"
  mv -f "$arrived" "$dir/run.new/script" || exit 73
  rm -rf "$dir/run"
  mv "$dir/run.new" "$dir/run" || exit 73
  setsid sh "$0" work </dev/null >/dev/null 2>&1 8>&- &
}

status() {
  state=none
  if [ -d "$dir" ]; then
    exec 8>>"$dir/lock" || exit 73
    flock 8 || exit 73
  fi
  if [ -e "$dir/run/rc" ]; then
    state=ended
  elif [ -e "$dir/run/name" ]; then
    state=running
    if (flock -n 9) 9>>"$dir/running"; then state=lost; fi
  fi
  code=$(value rc)
  seq=$(value seq)
  printf '{"fence":%s,"sequence":%s,"name":"%s","state":"%s","code":%s,"boot":"%s"}\n' \
    "$(cat "$dir/fence" 2>/dev/null || echo 0)" "${seq:-0}" "$(value name)" "$state" "${code:-0}" "$boot"
  tail -c 4096 "$dir/run/log" 2>/dev/null || :
}

case ${1:-} in
status) status ;;
work) work ;;
*)
  [ $# -eq 3 ] || exit 64
  start "$@"
  ;;
esac
