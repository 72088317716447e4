//go:build !linux

package main

import "testing"

// mountCases needs Linux.
func mountCases() map[string]func(*testing.T) { return nil }
