"""Random deaths of live engines, by seed, for as long as one likes: `make chaos`."""
