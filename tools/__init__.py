"""Programs for developers: demo, bench, chaos, mutants. The product never imports them."""
