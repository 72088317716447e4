package main

import (
	// An empty container has no roots to trust; these are Mozilla's. They are
	// used only where the system has none of its own.
	_ "golang.org/x/crypto/x509roots/fallback"

	// Nor has it a table of time zones.
	_ "time/tzdata"
)
