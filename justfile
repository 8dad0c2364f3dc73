# The same lines as in README and CONTRIBUTING, for those who have `just`.

# what there is
default:
    @just --list

# everything: install what the tests need, then run all of them
test *what:
    ./test {{ what }}

# formatting, lints, the tests of every crate
quick:
    ./test quick

# the server on the embedded default
serve *flags:
    cargo run --release -- serve {{ flags }}

# rewrite the generated reference documents
bless:
    BLESS=1 cargo test -p gabier --test e2e reference

# the yardsticks, side by side: mcp, tasks or ssh
bench what="mcp" *flags:
    bench/peers/setup
    cargo build --release
    cargo run -rp gabier-bench -- {{ what }} {{ flags }}

# advisories, licences and sources of every dependency
deny:
    cargo deny check
