#!/bin/bash
# Runs a command with copies of files on a disk of a known speed (Linux, root, cgroup v1 with blkio): a file system in
# memory behind a loop device that gives this process so many bytes a second. A virtual machine's own disk changes its
# speed by a factor of two from run to run.
#
#   tests/bench/steady-disk.sh 1000000000 "target/release/qwill-gpu-kit load" MODEL.gguf|DIRECTORY ...
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
rate=$1 command=$2
shift 2

work=$(mktemp -d)
group=/sys/fs/cgroup/blkio/qwill-steady-disk
device=
finish() {
    echo $$ > /sys/fs/cgroup/blkio/cgroup.procs
    mountpoint -q "$work/disk" && umount "$work/disk"
    [ -z "$device" ] || losetup -d "$device"
    mountpoint -q "$work/memory" && umount "$work/memory"
    rmdir "$group" "$work/disk" "$work/memory" "$work"
}
trap finish EXIT

mkdir "$work/memory" "$work/disk" "$group"
mount -t tmpfs -o size=90% tmpfs "$work/memory"
for model in "$@"; do
    # Room for the file system's own tables and for holes.
    truncate -s $((($(du -sb "$model" | cut -f1) * 11 / 10 >> 20) + 64))M "$work/memory/image"
    mkfs.ext4 -q -F "$work/memory/image"
    device=$(losetup -f --show "$work/memory/image")
    # As much as the disk under it would read ahead of one reader; the default of loop devices is a sixty-fourth of it.
    echo 8192 > "/sys/block/$(basename "$device")/queue/read_ahead_kb"
    mount "$device" "$work/disk"
    cp -r "$model" "$work/disk/"
    sync -f "$work/disk"
    echo "$(cat "/sys/block/$(basename "$device")/dev") $rate" > "$group/blkio.throttle.read_bps_device"
    echo $$ > "$group/cgroup.procs"
    # shellcheck disable=SC2086  # it may have arguments
    $command "$work/disk/$(basename "$model")"
    echo $$ > /sys/fs/cgroup/blkio/cgroup.procs
    umount "$work/disk"
    losetup -d "$device"
    device=
    rm "$work/memory/image"
done
