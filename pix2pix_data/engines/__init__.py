"""Ways to run shard functions. All of them give the same bytes."""
