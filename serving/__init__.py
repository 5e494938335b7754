"""Publication: versioned files, snapshots, exports and reading them."""
