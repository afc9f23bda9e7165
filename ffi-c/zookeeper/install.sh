#!/bin/sh
# Lays out the drop-in for libzookeeper under a prefix:
#
#   include/zookeeper/*.h
#   lib/libzookeeper_mt.so.2 and the link libzookeeper_mt.so
#   lib/pkgconfig/zookeeper.pc
#   lib/cmake/zookeeper/zookeeper-config.cmake
#
# usage: install.sh <prefix> <folder with libzookeeper_mt.so>
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:?usage: install.sh <prefix> <build folder>}
built=${2:?usage: install.sh <prefix> <build folder>}

mkdir -p "$prefix/include/zookeeper" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/zookeeper"
cp "$here"/include/zookeeper/*.h "$prefix/include/zookeeper/"
cp "$built/libzookeeper_mt.so" "$prefix/lib/libzookeeper_mt.so.2"
ln -sf libzookeeper_mt.so.2 "$prefix/lib/libzookeeper_mt.so"
# Found by where the file lies, so that the result may be moved.
sed 's|^prefix=.*|prefix=${pcfiledir}/../..|' "$here/packaging/zookeeper.pc.in" \
    > "$prefix/lib/pkgconfig/zookeeper.pc"
cp "$here/packaging/zookeeper-config.cmake" "$prefix/lib/cmake/zookeeper/"
