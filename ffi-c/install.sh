#!/bin/sh
# Lays out what a C program needs under a prefix:
#
#   include/zoowarden.h
#   lib/libzoowarden_c.a, libzoowarden_c.so.0 and the link libzoowarden_c.so
#   lib/pkgconfig/zoowarden.pc
#   lib/cmake/zoowarden/zoowarden-config.cmake, zoowarden-config-version.cmake
#
# usage: install.sh <prefix> <folder with libzoowarden_c.a and libzoowarden_c.so>
#
# The result may be moved: the files find each other by where they lie.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:?usage: install.sh <prefix> <build folder>}
built=${2:?usage: install.sh <prefix> <build folder>}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)

mkdir -p "$prefix/include" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/zoowarden"
cp "$here/include/zoowarden.h" "$prefix/include/"
cp "$built/libzoowarden_c.a" "$prefix/lib/"
# The name that programs ask the loader for stands in the library itself.
cp "$built/libzoowarden_c.so" "$prefix/lib/libzoowarden_c.so.0"
ln -sf libzoowarden_c.so.0 "$prefix/lib/libzoowarden_c.so"

fill() { sed "s/@VERSION@/$version/g" "$here/package/$1.in" > "$2/$1"; }
fill zoowarden.pc "$prefix/lib/pkgconfig"
fill zoowarden-config.cmake "$prefix/lib/cmake/zoowarden"
fill zoowarden-config-version.cmake "$prefix/lib/cmake/zoowarden"
