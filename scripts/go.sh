# To be sourced by scripts that build tools for the tests from Go modules.
#
# use_go WORK: from here on `go` in PATH is new enough. Debian's is too old: a newer one that is there is used, else one
# is fetched from the module proxy ($GOPROXY, else the public one) into WORK; it must have the hash below. What it
# compiles and downloads stays in WORK then, which the caller throws away.

go_needed=1.26.0  # as in the go.mod files of tests/support
go_fetched=1.26.8

use_go() {
  local work=$1 found platform hash proxy module
  export GOTOOLCHAIN=local GOWORK=off GOFLAGS="-mod=readonly -modcacherw -buildvcs=false" CGO_ENABLED=0
  found=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || found=
  if [ -n "$found" ] && [ "$(printf '%s\n' "$go_needed" "$found" | sort -V | head -n 1)" = "$go_needed" ]; then return; fi
  case "$(uname -m)" in
    x86_64) platform=linux-amd64 hash=30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7 ;;
    aarch64) platform=linux-arm64 hash=02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99 ;;
    *) echo "$0: install Go $go_needed or later: none is known for $(uname -m)" >&2; exit 1 ;;
  esac
  proxy=${GOPROXY:-https://proxy.golang.org}
  proxy=${proxy%%[,|]*}
  module=golang.org/toolchain@v0.0.1-go$go_fetched.$platform
  curl --fail --silent --show-error --location --retry 3 --retry-all-errors --max-time 300 \
    --output "$work/go.zip" "${proxy%/}/${module/@//@v/}.zip"
  if [ "$(sha256sum <"$work/go.zip")" != "$hash  -" ]; then
    echo "$0: ${module} from $proxy does not have the hash sha256-$hash" >&2
    exit 1
  fi
  /usr/bin/python3 -m zipfile -e "$work/go.zip" "$work"
  chmod +x "$work/$module/bin/"* "$work/$module/pkg/tool/"*/*
  export GOROOT=$work/$module GOPATH=$work/path GOCACHE=$work/go-cache
  PATH=$GOROOT/bin:$PATH
}
