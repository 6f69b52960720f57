// Package wire is what Frostfleet's programs say to each other: messages and
// their encodings, ids, the manifest, the access list, slots. It holds no state
// and does no I/O. Clients, commands and keystores need nothing else; the state
// machines that send these messages are internal/protocol.
//
// docs/protocol.md describes the same, byte by byte.
package wire
