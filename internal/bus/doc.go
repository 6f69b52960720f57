// Package bus is the fleet's bulletin board on NATS JetStream: streams, slots,
// following and jobs, over a connection of package natsconn. It has no idea of
// what messages mean.
//
// Every subject of a fleet starts with "frost.<fleet>."; callers see subjects
// without that prefix. The streams are declared in nats/streams.json; Apply
// creates them, Check compares them, nothing else writes their configuration.
//
// # Slots
//
// A slot is one subject that has one value: its first valid message in stream
// order. PublishSlot writes expecting that the subject is empty. If it isn't,
// the stored messages are read in order, and the caller says which is a value:
// the first one ends the matter. Junk is stepped over, and the write is tried
// again expecting exactly that junk. An attempt with unknown outcome (time-out,
// connection lost) is simply repeated: if it had been stored, the repetition
// finds it. Nats-Msg-Id is never used; its window is short, and shared by
// everybody who writes to the stream.
//
// The bus alone retries: Publish and PublishSlot go on until their context ends,
// and return early only what no repetition can change.
//
// # Following
//
// Follow reads a stream in order and without gaps, with no consumer on the
// server. The streams republish what they stored; a follower subscribes to
// that and hands on every message that is next in sequence. Whenever one is
// missing (start, reconnect, overflow, a lost message) it reads from the
// stream itself with batches of direct gets. The subscription makes it fast, the
// sequence numbers make it right. Not needing consumers matters for safety:
// who may create a consumer may have the server write to any subject.
//
// # Hostile writers
//
// Direct gets and republished messages carry their sequence in headers which
// the server appends to those of the writer. A writer can send a header block that
// ends early or repeats the server's names. So the last value counts, and
// only when the parsed headers account for every byte of the block;
// everything else is fetched through the JSON API, where the server's fields
// are separate.
//
// # Jobs
//
// Consume pulls one message for each idle handler: what is not being worked
// on stays on the server, for other gateways. Deliveries are acknowledged
// explicitly, twice over (the server confirms).
//
// # Watching
//
// An Observer records each attempt to publish, each delivery and each
// reconnection. Package buswatch samples the rest at intervals.
package bus
