#!/bin/sh
# bursts.sh BUILD [SECONDS [KERNEL_US COUNT OTHER_US [stream]]]: the two programs of burst.c alone, together
# without giveway, and together with it; a line each. On the machine's driver; or, if FAKE is set, on
# the fake one.
build=$1/native
seconds=${2:-5} us=${3:-200} count=${4:-10} other=${5:-200} stream=$6
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
export GIVEWAY_DIR="$pages" GIVEWAY_FAKE_DIR="$pages"
if [ -n "$FAKE" ]; then
  fake=$(readlink -f "$build/fake/libfake-cuda.so")
  ln -s "$fake" "$pages/libcuda.so.1"
  export LD_LIBRARY_PATH="$pages" GIVEWAY_CUDA_LIBRARY="$fake"
fi
shim=$build/shim/libgiveway-cuda.so

urgent() { "$build/bench/burst" urgent "$seconds" "$us" "$count" $stream; }
others() { "$build/bench/burst" other "$1" "$other" 50 $stream; }

echo "alone   urgent $(urgent)"
echo "alone   other  $(others "$seconds")"
others $((seconds + 2)) >"$pages/other" & sleep 1
echo "native  urgent $(urgent)"; wait
echo "native  other  $(cat "$pages/other")"
export LD_PRELOAD="$shim"
GIVEWAY_PRIORITY=0 others $((seconds + 2)) >"$pages/other" & sleep 1
echo "giveway urgent $(GIVEWAY_PRIORITY=10 urgent)"; wait
echo "giveway other  $(cat "$pages/other")"
