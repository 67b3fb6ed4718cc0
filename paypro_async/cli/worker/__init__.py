"""``paypro worker``: pay shards of batches, carried by Procrastinate."""
