.PHONY: test test-fast lint gen

test:       ## everything: lint, all tests on real API servers, coverage
	cargo xtask test

test-fast:  ## tests that need no cluster
	cargo xtask test-fast

lint:       ## formatting, lints, layering, dependencies, generated files
	cargo xtask lint

gen:        ## write every generated file
	cargo xtask gen
