"""Writing of datasets in another data format, shard by shard."""
