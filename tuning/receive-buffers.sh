#!/usr/bin/env bash
# Receive buffers: how much the kernel keeps for a worker that is busy for a moment.
#
# Why:    a socket's buffer is what stands between a burst and a lost datagram. The stock limit, net.core.rmem_max =
#         212992 on Debian, holds about 90 datagrams of 1400 bytes (the kernel books the whole skb): 0.1 ms at 1 Gbit/s.
#         32 MiB holds about 14,000. neckard asks for receive.buffer_bytes and says at start what it got.
# Cost:   memory only while it is full: at most 2 x 32 MiB per socket.
# Undo:   removes the drop-in file; the running value goes back at the next boot, or at once to what `undo` prints.
set -euo pipefail

readonly key=net.core.rmem_max
readonly bytes=${NECKAR_RMEM_MAX:-33554432}
readonly file=${NECKAR_SYSCTL_DIR:-/etc/sysctl.d}/60-neckar-receive-buffers.conf

case "${1:-}" in
    apply)
        printf '%s = %s\n' "$key" "$bytes" >"$file"
        sysctl -q -p "$file"
        exec "$0" verify
        ;;
    verify)
        got=$(sysctl -n "$key")
        if ((got >= bytes)); then
            echo "$key = $got: ok"
        else
            echo "$key = $got: less than $bytes; run '$0 apply' as root" >&2
            exit 1
        fi
        ;;
    undo)
        rm -f "$file"
        echo "removed $file; Debian's own value: sysctl -w $key=212992"
        ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "$0"
        echo "usage: $0 apply|verify|undo"
        ;;
esac
