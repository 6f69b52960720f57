// Package nats holds what a NATS server has to know about a fleet: the
// streams, and a server configuration with the permissions of each role.
// The programs read their declarations from here, so what is documented and
// what runs can't differ.
package nats

import "embed"

// Streams is streams.json: every stream, its limits and its durable consumers.
//
//go:embed streams.json
var Streams []byte

// Config holds server.conf and the permission files it includes, as an
// example of a production server.
//
//go:embed server.conf permissions
var Config embed.FS
