#!/bin/sh
# container.sh ROOT APP ERL ARGUMENT...: runs an Erlang node as an ordinary container does, made of
# this machine's own root: processes and mounts of its own, nothing writable but a noexec /tmp and
# /srv, no cgroups, no user namespaces, no capabilities, a user without rights. To be run by
# unshare --mount --pid --fork. APP, mounted read-only at /opt, has the fixtures.
set -eu
root=$1 app=$2 erl=$3
shift 3
mount --make-rprivate /
mount --bind / "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -o bind,ro /dev "$root/dev" # null and the like
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
mount --bind "$app" "$root/opt"
mount -o remount,bind,ro "$root/opt"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$root/tmp"
mount -t tmpfs -o mode=0755,nosuid,nodev,uid=65534 tmpfs "$root/srv"
mount -o remount,bind,ro "$root"
cd /
exec chroot "$root" setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all /opt/fixtures/older_kernel userns "$erl" "$@"
