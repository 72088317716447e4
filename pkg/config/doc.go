// Package config reads the configuration: a YAML file, or MAILPULL_*
// variables for one account. It is strict and reports all mistakes at once,
// each in one line with its place and with what to write instead.
//
// The one thing to know: the file is not decoded into structs by the YAML
// library. It is parsed into nodes, and fields.go has a table for each
// mapping of the file, which names its keys and reads their values. Unknown
// keys, places, suggestions and the tests of the documentation all come out
// of these tables.
//
// No part of a password stands in any error. No text of the YAML library
// does either, because some of them repeat the file.
package config
