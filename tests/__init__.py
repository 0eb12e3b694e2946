"""What the tests of every package share; named here, for another package brings a `tests` too."""
