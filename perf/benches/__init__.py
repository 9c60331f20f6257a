"""What the benchmarks of ./dev bench share, and the benchmarks themselves. Standard library only."""
