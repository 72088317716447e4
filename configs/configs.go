// Package configs holds the example configuration, which go:embed can reach
// only from its own folder.
package configs

import _ "embed"

// Example is mailpull.example.yaml. Nobody changes it.
//
//go:embed mailpull.example.yaml
var Example []byte
