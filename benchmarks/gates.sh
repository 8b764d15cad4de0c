#!/bin/sh
# gates.sh BUILD [SECONDS]: how soon a program gives way with windows and with stream gates of several sizes.
# Bursts of an urgent program beside one that never waits; on the machine's driver, or with FAKE=1 on the fake one.
build=$1/native
seconds=${2:-2}
pages=$(mktemp -d -p /dev/shm) # drivers hold on to memory, not to files on a disk
trap 'rm -rf "$pages"' EXIT
export GIVEWAY_DIR="$pages" GIVEWAY_FAKE_DIR="$pages"
if [ -n "$FAKE" ]; then
  fake=$(readlink -f "$build/fake/libfake-cuda.so")
  ln -s "$fake" "$pages/libcuda.so.1"
  export LD_LIBRARY_PATH="$pages" GIVEWAY_CUDA_LIBRARY="$fake"
fi
shim=$build/gpu/libgiveway-cuda.so
longer=$(awk "BEGIN { print $seconds + 2 }")

urgent() { LD_PRELOAD=$2 GIVEWAY_PRIORITY=10 "$build/programs/burst" urgent "$seconds" $1; }
other() { LD_PRELOAD=$2 GIVEWAY_PRIORITY=0 "$build/programs/burst" other "$3" "$1" 50; }

# KERNEL_US COUNT OTHER_US
for sizes in "20 1 20" "20 1 200" "200 10 200" "50 20 50" "20 50 20"; do
  set -- $sizes
  echo "== urgent $2 x $1 us, the other $3 us"
  echo "alone            urgent $(urgent "$1 $2" "")"
  echo "alone            other  $(other "$3" "" "$seconds")"
  other "$3" "" "$longer" >"$pages/other" & sleep 1
  echo "native           urgent $(urgent "$1 $2" "")"; wait
  echo "native           other  $(cat "$pages/other")"
  for gate in "500 0" "120 0" "500 400" "500 250" "500 100" "500 25"; do
    export GIVEWAY_WINDOW_US="${gate% *}" GIVEWAY_STREAM_GATE_US="${gate#* }"
    name="window ${gate% *}"
    [ "${gate#* }" = 0 ] || name="gates ${gate#* }"
    other "$3" "$shim" "$longer" >"$pages/other" & sleep 1
    printf '%-16s urgent %s\n' "$name" "$(urgent "$1 $2" "$shim")"; wait
    printf '%-16s other  %s\n' "$name" "$(cat "$pages/other")"
  done
  unset GIVEWAY_WINDOW_US GIVEWAY_STREAM_GATE_US
done

echo "== urgent 1 x 20 us, the other is held all the time"
echo "alone            urgent $(urgent "20 1" "$shim")"
for gate in 250 0; do
  GIVEWAY_STREAM_GATE_US=$gate GIVEWAY_MAX_WAIT_MS=0 other 20 "$shim" "$longer" >/dev/null & sleep 1
  LD_PRELOAD=$shim GIVEWAY_PRIORITY=5 "$build/programs/burst" hold "$longer" 20 1 >/dev/null & sleep 0.5
  echo "held, gates $gate  urgent $(urgent "20 1" "$shim")"; wait
done
