#!/bin/sh
# Finds a Vulkan loader and a driver, or brings its own loader, and starts the checks and measurements: run.sh --help.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

# A kit is packed to travel.
for program in "$here"/*.gz; do
    [ ! -e "$program" ] || gzip -df "$program"
done

# The packages are unpacked beside them, or where there is room if this folder cannot be written.
unpack_loader() {
    root=$here/loader/root
    mkdir -p "$root" 2>/dev/null || root=$(mktemp -d)
    for package in "$here"/loader/*.deb; do
        if command -v dpkg >/dev/null; then
            dpkg -x "$package" "$root"
        else
            (cd "$root" && ar x "$package" && tar xf data.tar.* && rm -f data.tar.* control.tar.* debian-binary)
        fi
    done
    for dir in "$root"/usr/lib/*-linux-gnu; do
        export LD_LIBRARY_PATH="$dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    done
}

if ! ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1'; then
    if [ -d "$here/loader" ]; then
        unpack_loader
    else
        echo "run.sh: this machine has no Vulkan loader, and the kit was made without --with-loader" >&2
    fi
fi

# Containers get NVIDIA's driver where the loader does not look; it looks in /usr/share/vulkan/icd.d and /etc/vulkan/icd.d.
nvidia=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && [ -e "$nvidia" ]; then
    export VK_DRIVER_FILES="$nvidia"
fi

exec "$here/qwill-gpu-kit" run "$@"
