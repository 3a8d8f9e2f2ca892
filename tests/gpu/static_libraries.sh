#!/usr/bin/env bash
# Static builds of the libraries that the distribution ships only as shared ones, from its own source packages:
#   static_libraries.sh PREFIX
# Needs apt with a network, dpkg-dev, cmake and ninja; no root. Does nothing where PREFIX has them already.
set -euo pipefail
prefix=$(mkdir -p "$1" && cd "$1" && pwd)
jobs=${SERAPH_JOBS:-$(nproc)}

# The machine's own sources of packages, asked for sources: nothing of the system is changed.
work=$prefix/work
mkdir -p "$work/parts" "$work/lists/partial"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  [ -f "$file" ] || continue
  sed -e 's/^Types: *deb *$/Types: deb-src/' -e 's/^deb /deb-src /' "$file" > "$work/parts/$(basename "$file")"
done
[ ! -f "$work/parts/sources.list" ] || mv "$work/parts/sources.list" "$work/parts/system.list"
apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/parts"
  -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=)

# fetch PACKAGE: unpacks its source; prints the folder.
fetch() {
  [ -n "$(ls "$work"/lists/*Sources* 2> /dev/null)" ] || "${apt[@]}" update >&2
  mkdir -p "$work/$1"
  (cd "$work/$1" && "${apt[@]}" source "$1" >&2)
  find "$work/$1" -mindepth 1 -maxdepth 1 -type d -not -name build | head -1
}
# configure SOURCE OPTION...
configure() {
  local source=$1
  shift
  cmake -G Ninja -S "$source" -B "$source/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib "$@"
}

if [ ! -f "$prefix/lib/libsimdjson.a" ]; then
  source=$(fetch simdjson)
  configure "$source" -DBUILD_SHARED_LIBS=OFF -DSIMDJSON_DEVELOPER_MODE=OFF
  ninja -C "$source/build" -j"$jobs" install
fi

# Debian's patches leave sentencepiece no static target: the objects of the shared one make the archive.
if [ ! -f "$prefix/lib/libsentencepiece.a" ]; then
  source=$(fetch sentencepiece)
  configure "$source" -DSPM_USE_BUILTIN_PROTOBUF=ON -DSPM_ENABLE_TCMALLOC=OFF
  ninja -C "$source/build" -j"$jobs" sentencepiece
  mkdir -p "$prefix/include" "$prefix/lib/pkgconfig"
  find "$source/build/src/CMakeFiles/sentencepiece.dir" -name '*.o' -exec ar rcs "$prefix/lib/libsentencepiece.a" {} +
  cp "$source/src/sentencepiece_processor.h" "$prefix/include/"
  cat > "$prefix/lib/pkgconfig/sentencepiece.pc" << PC
Name: sentencepiece
Description: built from the distribution's source
Version: 0
Libs: -L$prefix/lib -lsentencepiece
Cflags: -I$prefix/include
PC
fi
echo "static libraries in $prefix"
