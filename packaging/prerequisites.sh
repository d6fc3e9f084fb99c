# What packaging/try and tests/run need on a Debian machine, installed where it is missing, and the build that both
# use. Sourced by them in the folder of Cargo.toml, as root.
#
# Every step that changes the machine says what and why in one line before it does. Nothing is removed or asked, and
# no service that comes with a package is started.
# shellcheck shell=bash

export CARGO_TARGET_DIR=$PWD/target # where the tests look for the module and the tool

build_module_and_tool() {
  need "the compiler and linker, libpam's headers, certificates for cargo's downloads" gcc libc6-dev libpam0g-dev ca-certificates
  need_rust
  say "building the module and the tool in target/release"
  cargo rustc --quiet --release --lib --crate-type cdylib -p pam-countersign
  cargo build --quiet --release -p countersign-setup
}

say() {
  printf '== %s\n' "$*"
}

fail() {
  say "$*" >&2
  exit 3
}

need_root() {
  [[ $EUID -eq 0 ]] || fail "only root can do this; run: sudo $0"
  command -v apt-get >/dev/null || fail "this is written for Debian and its apt-get; README.md says what else a build needs"
}

# need WHY PACKAGE...
need() {
  local why=$1 package missing=()
  shift
  for package; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  refresh_lists
  say "installing ${missing[*]}: $why"
  without_services quietly apt-get install -y --no-install-recommends --no-remove "${missing[@]}" ||
    fail "apt-get can't install them; its words are above"
}

# Rust as new as Cargo.toml asks: what is here, else Debian's packages for building browsers (kept new in the stable
# releases, at times through the security archive alone), else rustup. No test covers the rustup branch.
need_rust() {
  local wanted
  wanted=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
  PATH=$PATH:${HOME:-/root}/.cargo/bin
  if ! rust_is "$wanted"; then
    if debian_has_rust "$wanted"; then
      need "Rust $wanted or later" rustc-web cargo-web
      PATH=/usr/bin:$PATH
    else
      rustup_rust "$wanted"
    fi
    rust_is "$wanted" || fail "there is no Rust $wanted here; install it, then run this again"
  fi
  say "building with $(rustc --version)"
}

rust_is() {
  local found
  found=$(cargo --version 2>/dev/null && rustc --version 2>/dev/null) || return 1
  found=${found##*rustc }
  dpkg --compare-versions "${found%% *}" ge "$1"
}

debian_has_rust() {
  refresh_lists
  candidate_is "$1" || { add_security_archive "$1" && candidate_is "$1"; }
}

candidate_is() {
  local package candidate
  for package in rustc-web cargo-web; do
    candidate=$(LC_ALL=C apt-cache policy "$package" | sed -n 's/^  Candidate: //p')
    [[ $candidate == [0-9]* ]] && dpkg --compare-versions "$candidate" ge "$1" || return 1
  done
}

# An installed Debian names its security archive, a bare root does not. It lies beside the archive that apt uses
# already, on the same host; if it does not, the new file goes again.
add_security_archive() {
  local wanted=$1 release archives archive file=/etc/apt/sources.list.d/debian-security.sources
  release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016 # apt-get expands these
  archives=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages')
  [[ -n $release && ! -e $file && $archives != *" $release-security"* ]] || return 1
  archive=$(sed -n "s,/debian/* $release\$,/debian,p" <<<"$archives" | head -n 1)
  [[ -n $archive ]] || return 1
  say "writing $file ($archive-security): only $release-security has Rust $wanted"
  cat >"$file" <<SOURCES
Types: deb
URIs: $archive-security
Suites: $release-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  lists_are_fresh=
  refresh_lists
  candidate_is "$wanted" && return 0
  say "removing $file again: that archive has no Rust $wanted"
  rm -f "$file"
  return 1
}

rustup_rust() {
  command -v rustup >/dev/null || apt-cache show rustup >/dev/null 2>&1 ||
    fail "neither PATH nor Debian's archives have Rust $1, and rustup is not here; install it, then run this again"
  command -v rustup >/dev/null || need "the installer of Rust toolchains" rustup
  say "installing Rust with rustup, for root alone: Debian's archives have no Rust $1"
  rustup toolchain install --profile minimal stable
  rustup default stable
}

refresh_lists() {
  [[ -z ${lists_are_fresh-} ]] || return 0
  say "reading apt's package lists: old ones name packages that are gone"
  quietly apt-get update || fail "apt-get can't read the package lists; its words are above"
  lists_are_fresh=yes
}

# A machine that only tests should not come out of it with one more open port.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  "$@"
)

# Runs a command and shows its output only if it fails.
quietly() {
  local output
  output=$(DEBIAN_FRONTEND=noninteractive "$@" </dev/null 2>&1) || {
    printf '%s\n' "$output" >&2
    return 1
  }
}
