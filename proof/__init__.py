"""Shows, by trying, that orders happen exactly once: crashes, random days, kills of the service."""
