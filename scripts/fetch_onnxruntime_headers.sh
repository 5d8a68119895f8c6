#!/usr/bin/env bash
# ONNX Runtime's C and C++ headers, for the test that compiles the C++ of docs/on-device.md. They come from Debian's
# package libonnxruntime-dev (MIT, 85 kB), which is unpacked into a cache folder and not installed. Headers of an older
# version work with a newer library. Prints the folder that MIEN_ONNXRUNTIME_INCLUDE may name.
set -euo pipefail
package=libonnxruntime-dev_1.21.0+dfsg-1_amd64.deb
sha256=14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/mien/onnxruntime-headers}
if [ ! -f "$folder/usr/include/onnxruntime/onnxruntime_cxx_api.h" ]; then
  mkdir -p "$folder"
  curl --fail --silent --show-error --max-time 60 --output "$folder/$package" \
    "http://deb.debian.org/debian/pool/main/o/onnxruntime/$package"
  echo "$sha256  $folder/$package" | sha256sum --check --quiet
  dpkg-deb --extract "$folder/$package" "$folder"
  rm "$folder/$package"
fi
echo "$folder/usr/include/onnxruntime"
