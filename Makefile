.PHONY: bench campaign contract fuzz demo down dist fresh test test-fast lint gen

demo:       ## the product on a cluster of its own on this machine; or CONTEXT=name IMAGE=… for one you have
	cargo build --quiet --locked --package localcluster --package demo
	target/debug/demo --context '$(CONTEXT)' --image '$(IMAGE)'

down:       ## remove the demo's own cluster and all it made
	cargo run --quiet --locked --package demo -- down

dist:       ## the operator's image, the charts and plain YAML, in target/dist
	cargo xtask dist

fresh:      ## the README's commands and `make test` on a machine with Debian's base, Go and Rust alone (as root)
	cargo xtask fresh

test:       ## everything: lint, all tests on real API servers, coverage
	cargo xtask test

test-fast:  ## tests that need no cluster
	cargo xtask test-fast

lint:       ## formatting, lints, layering, dependencies, generated files
	cargo xtask lint

gen:        ## write every generated file
	cargo xtask gen

bench:      ## mining beside NumPy and pandas, the core beside FastAPI, the release gate beside conftest, a thousand objectives, tenants beside a raw writer and Capsule (about 45 minutes); BENCH=mining for one, BENCH='tenants --sizes 100' for another shape
	cargo xtask bench $(BENCH)

contract:   ## the calculation core against its own OpenAPI document, a thousand examples an operation
	cargo xtask contract

fuzz:       ## a minute of mutated input for everything that reads what people give
	cargo xtask fuzz

campaign:   ## longer than a test may be: every 23rd pair of crashes, every crash of rollouts, 300 random sequences, every planted bug
	PAIRS=23 NTH_CRASH=1 cargo test --locked --package hashinsight-operator --test sim
	SEEDS=300 cargo test --locked --package testkit --test conformance -- random
	cargo xtask recall
