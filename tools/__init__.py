"""What is made with the product and never imported by it: demo, bench, chaos, mutants."""
