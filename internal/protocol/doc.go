// Package protocol is the state machines of workers and gateways, which speak
// in the messages of internal/wire. It has no I/O and no clock, and its randomness is passed in, so a
// whole fleet runs inside a test at any speed and in any order.
//
// A machine takes an event and gives back effects:
//
//	effects := node.Step(event)
//
// The program around it (internal/worker, internal/gateway, test/sim)
// performs the effects and feeds what comes of them back as events. Heavy
// mathematics is an effect as well (Compute), so that a step is always short
// and the program decides how many cores to give it.
//
// Three machines:
//
//   - Node is one worker: it deals, certifies, commits and signs.
//   - Coordinator is one gateway: it cuts jobs into tasks, watches the log
//     and aggregates.
//   - Board, inside both, decides what a slot's value is.
package protocol
