"""The operator's seat: runs three services on real market data and shows what they did."""
