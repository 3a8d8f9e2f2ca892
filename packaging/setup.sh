# Functions of run.sh and test.sh: packages and the build. Sourced, never run. Nothing is asked of the network when
# every package is there.

build_packages=(cmake ninja-build g++ pkg-config ccache libuv1-dev "libllhttp-dev|node-llhttp" libsimdjson-dev
  libsqlite3-dev libspdlog-dev libfmt-dev libpcre2-dev libutf8proc-dev libsentencepiece-dev libprotobuf-dev
  libssl-dev libyaml-dev)
# Only when there is no npm yet: other sources of Node.js bring their own, and the two do not mix.
command -v npm >/dev/null || build_packages+=(nodejs npm)
test_packages=(libgtest-dev clang-format python3 python3-venv)

say() { echo "[seraph] $*" >&2; }

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

is_offered() { [ -n "$(apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)"')" ]; }

# Of "a|b": the one that is installed, else the first that the system offers.
pick_package() {
  local choice choices
  IFS='|' read -ra choices <<<"$1"
  for choice in "${choices[@]}"; do if is_installed "$choice"; then echo "$choice"; return; fi; done
  for choice in "${choices[@]}"; do if is_offered "$choice"; then echo "$choice"; return; fi; done
  echo "${choices[-1]}"
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this system has no apt: install the equivalents of these Debian packages yourself: $*"
    return 0
  fi
  for package in "$@"; do
    is_installed "$(pick_package "$package")" || missing+=("$package")
  done
  [ "${#missing[@]}" = 0 ] && return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    local wanted=()
    for package in "${missing[@]}"; do wanted+=("$(pick_package "$package")"); done
    say "these packages are missing and there is no sudo; as root: apt-get install ${wanted[*]}"
    exit 1
  fi
  say "installing ${missing[*]}"
  # A fresh machine has no package lists yet, and names in "a|b" can be told apart only with them.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq ||
    say "the package lists could not be refreshed; trying with those at hand"
  local picked=()
  for package in "${missing[@]}"; do picked+=("$(pick_package "$package")"); done
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${picked[@]}" >&2; then
    say "the packages could not be installed; by hand: apt-get install ${picked[*]}"
    exit 1
  fi
}

# The page's bundler. The build works without it (the modules are then embedded as they are), so nothing here is fatal.
install_page_packages() {
  local webui=$1/webui
  [ -x "$webui/node_modules/.bin/esbuild" ] && return 0
  if ! command -v npm >/dev/null; then
    say "npm is not installed: the chat page is embedded without bundling"
    return 0
  fi
  say "installing the page's bundler (npm)"
  (cd "$webui" && timeout 120 npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error >&2) ||
    say "npm could not install it: the chat page is embedded without bundling"
}

# install_cuda_compiler BUILD: nvcc and its static runtime from PyPI, into BUILD/cuda and without root, unless the system
# has one where CMake looks.
install_cuda_compiler() {
  local build=$1 nvcc
  for nvcc in "$(command -v nvcc)" "${CUDA_HOME:-}/bin/nvcc" "${CUDA_PATH:-}/bin/nvcc" /usr/local/cuda/bin/nvcc \
    "$build"/cuda/lib/python3*/site-packages/nvidia/cu1[3-9]/bin/nvcc; do
    if [ -x "$nvcc" ]; then return 0; fi
  done
  install_packages python3 python3-venv
  say "installing the CUDA compiler (PyPI, 0.5 GB) into $build/cuda"
  if ! python3 -m venv "$build/cuda" || ! "$build/cuda/bin/pip" install -q 'nvidia-cuda-nvcc==13.0.*' \
    'nvidia-cuda-crt==13.0.*' 'nvidia-nvvm==13.0.*' 'nvidia-cuda-runtime==13.0.*' >&2; then
    say "the CUDA compiler could not be installed; with one in PATH or CUDA_HOME, --with-cuda uses that"
    exit 1
  fi
}

# configure_and_build SOURCE BUILD TARGET OPTION...
configure_and_build() {
  local source=$1 build=$2 target=$3
  shift 3
  if ! mkdir -p "$build" || [ ! -w "$build" ]; then
    say "$(id -un) cannot write the build folder $build; choose another one with SERAPH_BUILD_DIR"
    exit 1
  fi
  if ! cmake -S "$source" -B "$build" -G Ninja "$@" >"$build/configure.log" 2>&1; then
    cat "$build/configure.log" >&2
    exit 1
  fi
  cmake --build "$build" --target "$target" ${SERAPH_JOBS:+-j "$SERAPH_JOBS"} >&2
}
