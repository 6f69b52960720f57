// Package protocol is the state machines of workers and gateways, which speak
// in the messages of internal/wire. It has no I/O and no clock, and its
// randomness is passed in, so a whole fleet runs inside a test at any speed and in
// any order.
//
// A machine takes an event and returns effects. Nothing else changes it:
//
//	effects := node.Step(event)
//
// The program around it (internal/worker, internal/gateway, test/sim)
// performs the effects and feeds what comes of them back as events. Whatever takes
// time in proportion to a job's items is an effect as well (Compute), so that a
// step is always short and the program decides how many cores to give it.
//
// Two machines, which read batches from a board (internal/board) each:
//
//   - Node is one worker: it deals, certifies, commits and signs.
//   - Coordinator is one gateway: it cuts jobs into tasks, watches the log
//     and aggregates.
//
// Events and effects print as one line each. testdata/*.txt shows what the machines
// of a fleet do in a key generation, a signature, an abort, a retry, a restart and a
// recovery; a test replays it.
package protocol
