echo log > a.log; echo log > src/b.log
