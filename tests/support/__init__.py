"""The laboratory: everything the demonstration and the end-to-end tests need around the real programs."""
