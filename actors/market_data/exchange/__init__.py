"""A live exchange as the source of candles and quotes: websockets where it has them, REST else."""
